"""The deployed loader's configuration, and the root user of the primary, who can disturb loads."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from local.database import DatabaseServer
from sluice.aws.secrets import Credentials
from sluice.db.connection import Database
from sluice.load.batch_reader import BatchObject
from sluice.load.loader import Loader
from sluice.model.record import Write
from tests.database.rig import Rig

PRIVILEGES = "SELECT, INSERT, UPDATE, DELETE, CREATE TEMPORARY TABLES"


class Root:
    """The owner of the primary's machine."""

    def __init__(self, server: DatabaseServer) -> None:
        self._server = server

    def run(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with self._server.connect_as_root() as connection, connection.cursor() as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall())

    @contextmanager
    def setting(self, name: str, value: int) -> Iterator[None]:
        """Set a global variable within a context. New sessions use it."""
        [(before,)] = self.run(f"SELECT @@GLOBAL.{name}")
        self.run(f"SET GLOBAL {name} = {value}")
        try:
            yield
        finally:
            self.run(f"SET GLOBAL {name} = {before}")

    def wait_for_lock(self, connection_id: int) -> None:
        """Return when a connection waits for a row's lock."""
        deadline = time.monotonic() + 20
        while not self.run(
            "SELECT 1 FROM information_schema.innodb_trx WHERE trx_mysql_thread_id = %s AND trx_state = 'LOCK WAIT'",
            connection_id,
        ):
            assert time.monotonic() < deadline, "it waits for no lock"
            time.sleep(0.15)  # the server refreshes this table every tenth of a second

    def act_when_waiting(self, connection_id: int, action: Callable[[], object]) -> threading.Thread:
        """A thread, not started, that acts as soon as a connection waits for a row's lock."""

        def act() -> None:
            self.wait_for_lock(connection_id)
            action()

        return threading.Thread(target=act)


class Loading:
    """The loader as it is deployed: with its own account, few privileges, and a secret that can change."""

    def __init__(self, rig: Rig, root: Root, account: str) -> None:
        self.rig, self.root, self.account = rig, root, account
        self.secret = Credentials(account, "first")
        self.fetched = 0
        self.opened = 0
        self.settings = rig.database._settings
        root.run(f"CREATE USER {account} IDENTIFIED BY 'first' REQUIRE SSL")
        root.run(f"GRANT {PRIVILEGES} ON {self.settings.database_name}.* TO {account}")
        self.database = Database(self.settings, statement_timeout_seconds=30, for_loading=True)

    def fetch(self, _arn: str) -> Credentials:
        self.fetched += 1
        return self.secret

    def load(self, *writes: Write, database: Database | None = None, key: str = "batches/a") -> str:
        """Load writes as one batch; the same writes under the same key are the same batch."""
        return self.load_existing(self.rig.objects.put(key, writes), database)

    def load_existing(self, key: str, database: Database | None = None) -> str:
        """Load a batch that exists."""

        def open_batch(bucket: str, name: str) -> BatchObject:
            self.opened += 1
            return self.rig.objects.open(bucket, name)

        return Loader(database or self.database, self.rig.resources, open_batch).load_batch("bucket", key).status

    def connection_id(self) -> int:
        connection: Any = self.database.get_connection()
        return int(connection.thread_id())

    def loaded(self) -> int:
        return len(self.rig.rows("SELECT 1 FROM loaded_batches"))
