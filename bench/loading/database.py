"""A primary with its replicas, and a table of bookings that has rows already and an index besides the primary key."""

import os
import sys
from pathlib import Path
from typing import Any

from pymysql.connections import Connection
from sqlalchemy import create_engine

from bench.loading.baselines import PreparedFile
from bench.loading.batches import TABLE_CREATED_MS, ItemKey, WriteGenerator
from local.database import DatabaseServers
from sluice.aws.secrets import Credentials
from sluice.db.connection import Database
from sluice.load.batch_reader import BatchObject
from sluice.load.loader import Loader
from sluice.model.resource import load_resources
from sluice.schema.ddl import build_metadata
from sluice.settings import DatabaseSettings

SCHEMA = "bench"
BUFFER_POOL_MB = 2048  # the table fits
ROWS_PER_FILE = 50_000


class BenchDatabase:
    """The databases below a folder. `items` are the items that the table has from the start."""

    def __init__(self, folder: Path, rows: int, buffer_pool_mb: int = BUFFER_POOL_MB, replicas: int = 1) -> None:
        self.servers = DatabaseServers(folder / "servers", buffer_pool_mb, replicas=replicas)
        self.folder = folder
        self.generator = WriteGenerator(rows)
        self.items: list[ItemKey] = []
        self._row_count = rows

    def start(self) -> None:
        """Start the servers, create the table and its rows, and wait for the replicas. Raises LocalError."""
        self.servers.start()
        install_trust_layer(self.folder, self.servers.ca)
        self.connection = self.connect(database=None)
        with self.connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {SCHEMA} CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin")
            cursor.execute(f"USE {SCHEMA}")
        engine = create_engine("mariadb+pymysql://", creator=lambda: self.connection)
        build_metadata(load_resources().values()).create_all(engine)
        with self.connection.cursor() as cursor:
            cursor.execute("ALTER TABLE bookings ADD INDEX departure (departs_at)")
        for first in range(0, self._row_count, ROWS_PER_FILE):
            items = self.generator.generate_items(ROWS_PER_FILE)
            batch = self.generator.generate_batch(items, ROWS_PER_FILE, TABLE_CREATED_MS + first, with_repeats=False)
            PreparedFile(batch.writes, self.folder / "rows").load(self.connection, "REPLACE")
            self.items += items
        self.servers.wait_for_replicas(300)

    def connect(self, **options: Any) -> "Connection[Any]":
        """Connect to the primary as the administrator, over TLS and in strict mode."""
        mode = "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION"
        settings: dict[str, Any] = {"database": SCHEMA, "local_infile": True, "sql_mode": mode, **options}
        return self.servers.primary.connect(*self.servers.admin_credentials, **settings)

    @property
    def lambda_environment(self) -> dict[str, str]:
        """The variables of a load function that loads into this database."""
        return {
            "DATABASE_HOST": self.servers.primary.host,
            "DATABASE_PORT": str(self.servers.primary.port),
            "DATABASE_NAME": SCHEMA,
            "DATABASE_SECRET_ARN": "none",
            "PYTHONPATH": os.pathsep.join([str(self.folder), *sys.path]),
            "AWS_DEFAULT_REGION": "us-east-1",
            "POWERTOOLS_SERVICE_NAME": "sluice",
            "POWERTOOLS_METRICS_NAMESPACE": "Sluice",
        }

    def create_loader(self, objects: dict[str, BatchObject]) -> Loader:
        """The loader as it is deployed, with objects from memory in place of S3."""
        return Loader(connect_primary(self.servers, SCHEMA), load_resources(), lambda _bucket, key: objects[key])


def connect_primary(servers: DatabaseServers, schema: str) -> Database:
    """The primary as the loader uses it, with the administrator's credentials."""
    settings = DatabaseSettings(servers.primary.host, servers.primary.port, schema, "none")
    database = Database(settings, statement_timeout_seconds=600, for_loading=True)
    database.access.credentials = Credentials(*servers.admin_credentials)
    return database


def install_trust_layer(folder: Path, authority: Path) -> None:
    """Create the module that the trust layer brings in a stack, with the authority of the local databases."""
    layer = folder / "database_trust"
    layer.mkdir(exist_ok=True)
    (layer / "__init__.py").touch()
    (layer / "ca.pem").write_bytes(authority.read_bytes())
    sys.path.insert(0, str(folder))
