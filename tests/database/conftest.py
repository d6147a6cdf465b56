"""A real primary and replica for the whole run, and a schema of its own for every test."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import msgspec
import pytest
from pymysql.connections import Connection

from local.cache import CacheServer
from local.database import DatabaseServer, DatabaseServers
from sluice.aws.secrets import Credentials
from sluice.db.connection import Database
from sluice.settings import DatabaseSettings
from tests.database.cache_rig import CacheRig, create_cache_rig
from tests.database.deployed import Loading, Root
from tests.database.reading_rig import ReadRig
from tests.database.rig import Objects, Rig
from tests.database.s3 import buckets
from tests.database.things import CODES, THINGS
from tests.memory import folder_in_memory


class Connect(Protocol):
    def __call__(
        self, server: DatabaseServer | None = None, account: tuple[str, str] | None = None, **options: Any
    ) -> "Connection[Any]":
        """Connect over TLS; without arguments: the admin, on the primary, in the test's schema."""
        ...


@pytest.fixture(scope="session", autouse=True)
def _metrics() -> None:
    """Metrics need their namespace, because tests import them without a function's environment."""
    from sluice.observability import metrics  # noqa: PLC0415

    metrics.namespace, metrics.service = "Sluice", "sluice"


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabaseServers]:
    with folder_in_memory() as memory:
        servers = DatabaseServers(tmp_path_factory.mktemp("servers"), replicas=2, memory=memory)
        servers.start()
        yield servers
        servers.stop()


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A client of the emulated S3, with the buckets `batches` and `archive`."""
    with buckets(tmp_path_factory.mktemp("s3")) as emulator:
        yield emulator.client("s3")


@contextmanager
def schema(servers: DatabaseServers) -> Iterator[str]:
    """The name of a new, empty schema on the primary; dropped afterwards."""
    servers.start()
    name = f"test_{uuid4().hex}"
    with servers.primary.connect(*servers.admin_credentials) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin")
    yield name
    servers.start()
    with servers.primary.connect(*servers.admin_credentials) as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {name}")


@pytest.fixture
def database(servers: DatabaseServers) -> Iterator[str]:
    """The test's own schema."""
    with schema(servers) as name:
        yield name


@pytest.fixture
def connect(servers: DatabaseServers, database: str) -> Iterator[Connect]:
    with ExitStack() as opened:

        def connect(
            server: DatabaseServer | None = None, account: tuple[str, str] | None = None, **options: Any
        ) -> "Connection[Any]":
            username, password = account or servers.admin_credentials
            connection = (server or servers.primary).connect(username, password, **{"database": database, **options})
            opened.callback(lambda: connection.close() if connection.open else None)
            return connection

        yield connect


def trust_authority(servers: DatabaseServers, folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Create the trust layer with the authority of the servers' certificates, in a new folder."""
    layer = folder / "database_trust"
    layer.mkdir()
    (layer / "__init__.py").touch()
    shutil.copy(servers.ca, layer / "ca.pem")
    patch.syspath_prepend(folder)
    patch.delitem(sys.modules, "database_trust", raising=False)


@pytest.fixture
def trust(servers: DatabaseServers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    trust_authority(servers, tmp_path, monkeypatch)


@contextmanager
def create_rig(
    servers: DatabaseServers, connection: "Connection[Any]", name: str, patch: pytest.MonkeyPatch
) -> Iterator[Rig]:
    """A loader with a schema and its tables; it connects as the admin over verified TLS."""
    username, password = servers.admin_credentials
    patch.setattr("sluice.db.connection.read_credentials", lambda _arn: Credentials(username, password))
    settings = DatabaseSettings(servers.primary.host, servers.primary.port, name, "admin")
    primary = Database(settings, statement_timeout_seconds=30, for_loading=True)
    rig = Rig(connection, primary, {resource.collection: resource for resource in (THINGS, CODES)}, Objects())
    rig.make_tables()
    yield rig
    primary.drop_connection()


@pytest.fixture
def rig(
    servers: DatabaseServers,
    database: str,
    connect: Connect,
    trust: None,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Rig]:
    """The rig of the test's schema."""
    with create_rig(servers, connect(), database, monkeypatch) as created:
        yield created


@pytest.fixture
def primary(rig: Rig) -> Iterator[Database]:
    """A function's connection to the primary."""
    database = Database(rig.database._settings, statement_timeout_seconds=10)
    yield database
    database.drop_connection()


@pytest.fixture
def replica(rig: Rig, servers: DatabaseServers) -> Iterator[Database]:
    """A function's connection to the replica, which starts with everything loaded. Both servers run afterwards."""
    there = msgspec.structs.replace(rig.database._settings, database_port=servers.replica.port)
    database = Database(there, statement_timeout_seconds=10)
    servers.wait_for_replicas()
    yield database
    database.drop_connection()
    servers.start()


@pytest.fixture
def replicas(rig: Rig, servers: DatabaseServers) -> Iterator[dict[str, Database]]:
    """A function's connection to each replica by its name. All servers run afterwards."""
    there = rig.database._settings
    databases = {
        replica.directory.name: Database(
            msgspec.structs.replace(there, database_port=replica.port), statement_timeout_seconds=10
        )
        for replica in servers.replicas
    }
    servers.wait_for_replicas()
    yield databases
    for database in databases.values():
        database.drop_connection()
    servers.start()


@pytest.fixture
def _function_environment(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables of the functions that read the primary and the batches, for a handler that a test imports."""
    settings = rig.database._settings
    for name, value in {
        "DATABASE_HOST": settings.database_host,
        "DATABASE_PORT": str(settings.database_port),
        "DATABASE_NAME": settings.database_name,
        "DATABASE_SECRET_ARN": "arn",
        "BATCH_BUCKET": "batches",
        "ARCHIVE_BUCKET": "archive",
        "LOAD_CONCURRENCY": "4",
        "POWERTOOLS_TRACE_DISABLED": "1",
        "POWERTOOLS_SERVICE_NAME": "sluice",
        "POWERTOOLS_METRICS_NAMESPACE": "Sluice",
    }.items():
        monkeypatch.setenv(name, value)


@contextmanager
def create_reader(rig: Rig, patch: pytest.MonkeyPatch) -> Iterator[ReadRig]:
    """The read function on the tables of a rig, with its own connection to the primary."""
    for name, value in {"SERVICE_NAME": "sluice", "METRICS_NAMESPACE": "Sluice", "TRACE_DISABLED": "1"}.items():
        patch.setenv(f"POWERTOOLS_{name}", value)
    replica = Database(rig.database._settings, statement_timeout_seconds=30)
    yield ReadRig(rig, replica)
    replica.drop_connection()


@pytest.fixture
def reader(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> Iterator[ReadRig]:
    with create_reader(rig, monkeypatch) as created:
        yield created


@pytest.fixture(scope="module")
def shared_reader(servers: DatabaseServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReadRig]:
    """A reader of tables that the tests of a module share."""
    with pytest.MonkeyPatch.context() as patch, schema(servers) as name:
        trust_authority(servers, tmp_path_factory.mktemp("trust"), patch)
        with (
            servers.primary.connect(*servers.admin_credentials, database=name) as connection,
            create_rig(servers, connection, name, patch) as rig,
            create_reader(rig, patch) as created,
        ):
            yield created


@pytest.fixture(scope="session")
def cache(servers: DatabaseServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CacheServer]:
    """A cache server with a certificate of the servers' authority."""
    cache = CacheServer(tmp_path_factory.mktemp("cache"), servers.ca.parent)
    cache.start()
    yield cache
    cache.stop()


@pytest.fixture
def cache_rig(
    rig: Rig, servers: DatabaseServers, cache: CacheServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[CacheRig]:
    """The test's tables with a cache in front of them. The cache runs when the test begins."""
    cache.start()
    with create_cache_rig(rig, servers, cache, monkeypatch) as created:
        yield created


@pytest.fixture
def root(servers: DatabaseServers) -> Root:
    return Root(servers.primary)


@pytest.fixture
def loading(
    rig: Rig, root: Root, database: str, servers: DatabaseServers, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Loading]:
    """A loader with its own account."""
    loading = Loading(rig, root, f"loader_{database[-8:]}")
    monkeypatch.setattr("sluice.db.connection.read_credentials", loading.fetch)
    monkeypatch.setattr("sluice.load.loader.FIRST_BACKOFF_SECONDS", 0.01)
    yield loading
    loading.database.drop_connection()
    servers.start()
    root.run(f"DROP USER {loading.account}")
