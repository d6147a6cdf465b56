"""A live database, and a second server with a copy of its tables, for the proof of a backup."""

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from pymysql.connections import Connection
from pymysql.cursors import DictCursor
from sqlalchemy import create_engine

from local.database import DatabaseServer, DatabaseServers
from local.database.accounts import Account, ensure_accounts
from local.database.installation import create_data_directories
from sluice.db.connection import Database
from sluice.db.moment import write_moment
from sluice.load.batch_reader import BatchOpener
from sluice.load.loader import Loader
from sluice.model.schema_names import SERVICE_TABLES
from sluice.proof.comparison import (
    count_lacking_rejected_writes,
    describe_differences,
    describe_obstacle,
    find_examples,
    list_differing_tables,
    read_copied_fingerprints,
)
from sluice.proof.live_state import Servers, Tail, read_live_state
from sluice.proof.proof_state import BackupSnapshot, CopyInstance, Proof
from sluice.proof.tail_load import load_tail
from sluice.schema.ddl import build_metadata
from sluice.schema.ddl_executor import quote_name
from tests.database.rig import Rig

NOW = datetime.datetime(2026, 11, 29, tzinfo=datetime.UTC)


@contextmanager
def second_server(servers: DatabaseServers, folder: Path) -> Iterator[DatabaseServer]:
    """A server of its own, with the certificates and the admin of the others."""
    server = DatabaseServer(folder / "copy", certificates=servers.ca.parent, settings=("--server-id=99",))
    create_data_directories([server.data], folder / "installing")
    server.start()
    try:
        ensure_accounts(server, admin=Account(*servers.admin_credentials), replication=Account("replication", "none"))
        yield server
    finally:
        server.stop()


@dataclass
class ProofRig:
    """`rig` is the live database. `copy` loads into the second server, `admin` changes its tables by hand."""

    rig: Rig
    copy: Database
    admin: "Connection[Any]"
    tail: Tail = field(default_factory=Tail)

    @property
    def schema(self) -> str:
        return self.rig.database._settings.database_name

    def make_tables(self) -> None:
        """Empty tables on the second server."""
        self.change(
            f"DROP DATABASE IF EXISTS {self.schema}",
            f"CREATE DATABASE {self.schema} CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin",
        )
        self.admin.select_db(self.schema)
        engine = create_engine("mariadb+pymysql://", creator=lambda: self.admin)
        build_metadata(self.rig.resources.values()).create_all(engine)

    def back_up(self) -> None:
        """Copy all rows to the second server, as a backup does, with the moment of the backup."""
        write_moment(self.rig.database)
        self.rig.database.get_connection().commit()
        self.make_tables()
        for table in (*SERVICE_TABLES, *self.rig.resources):
            rows = self.rig.rows(f"SELECT * FROM {table}")
            for row in rows:
                names = ", ".join(map(quote_name, row))
                with self.admin.cursor() as cursor:
                    cursor.execute(
                        f"INSERT INTO {table} ({names}) VALUES ({', '.join(['%s'] * len(row))})", tuple(row.values())
                    )
        self.admin.commit()
        # A rebuild's swap would wait for the transaction of the rows.
        self.rig.connection.rollback()

    def change(self, *statements: str) -> None:
        """Change the copy."""
        with self.admin.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
        self.admin.commit()

    def change_live(self, *statements: str) -> None:
        with self.rig.connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
        self.rig.connection.commit()

    @property
    def servers(self) -> Servers:
        return Servers(self.rig.database, self.copy)

    def begin(self) -> Proof:
        """Read the live state and what the copy lacks."""
        proof = Proof(
            name="proof-1",
            started_at=NOW,
            snapshot=BackupSnapshot("snapshot-1", NOW),
            instance=CopyInstance("copy", "127.0.0.1", 1),
        )
        proof.live, self.tail = read_live_state(self.servers, self.rig.resources)
        return proof

    def load(self, proof: Proof, opener: BatchOpener | None = None) -> Proof:
        """Load the tail, one batch at a time, as in a function that has no time left after each."""
        loader = Loader(self.copy, self.rig.resources, opener or self.rig.objects.open)
        while not proof.loaded:
            encoded = msgspec.json.encode(load_tail(proof, self.tail, loader, "bucket", 0))
            proof = msgspec.json.decode(encoded, type=Proof)
        return proof

    def compare(self, proof: Proof) -> list[str]:
        """The sentences about the differences, or about why the two cannot be compared."""
        while not read_copied_fingerprints(proof, self.copy, self.rig.resources, 0):
            pass
        assert proof.live
        lacking = count_lacking_rejected_writes(self.copy, self.tail)
        return describe_differences(proof, proof.live, lacking)

    def prove(self) -> list[str]:
        """All steps."""
        proof = self.begin()
        assert proof.live
        if obstacle := describe_obstacle(proof.live):
            return [obstacle]
        return self.compare(self.load(proof))

    def examples(self, proof: Proof) -> dict[str, tuple[str, str]]:
        assert proof.live
        differing = list_differing_tables(proof.live.fingerprints, proof.copied)
        resources = [self.rig.resources[name] for name in differing]
        return find_examples(self.servers, resources, proof.live, 10)

    def copied_rows(self, statement: str) -> list[dict[str, Any]]:
        self.admin.rollback()
        with self.admin.cursor(DictCursor) as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())
