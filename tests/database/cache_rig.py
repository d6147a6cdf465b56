"""A read cache between a loader and a reader: a real Redis server, and a real primary with its replica."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest

from local.cache import CacheServer
from local.database import DatabaseServers
from sluice.aws.secrets import Credentials
from sluice.cache.invalidation import CacheInvalidator
from sluice.cache.reader import CacheReader
from sluice.cache.valkey_client import ValkeyClient
from sluice.db.connection import Database
from sluice.http.api_gateway import create_api_handler
from sluice.http.request import Request
from sluice.http.response import Response
from sluice.load.load_types import LoadResult
from sluice.load.loader import Loader
from sluice.model.record import Write
from sluice.observability import _log_fields
from sluice.query.read_context import ReadContext
from sluice.query.read_router import ReadRouter
from sluice.query.replica_reads import ReplicaReads
from sluice.settings import CacheSettings
from tests.database.reading_rig import create_read_settings
from tests.database.rig import Rig
from tests.database.things import OWNER, put
from tests.unit.requesting import Answer, Context, event


class CacheRig:
    """A loader that invalidates items in the cache, and a reader that reads the cache before the replica."""

    def __init__(self, rig: Rig, servers: DatabaseServers, cache: CacheServer) -> None:
        self.rig, self.servers, self.cache = rig, servers, cache
        self.settings = CacheSettings("localhost", cache.port, "cache", 600)
        self.replica = Database(
            msgspec.structs.replace(rig.database._settings, database_port=servers.replica.port),
            statement_timeout_seconds=30,
        )
        self.loaders: list[Database] = []
        self.client = ValkeyClient(self.settings, 1.0)
        self.cache_reader = CacheReader(self.client, 600)
        self._handle = create_api_handler("get", self._respond)

    def _respond(self, request: Request) -> Response:
        settings = create_read_settings(self.replica)
        return ReadRouter(self.rig.resources, self.replica, settings, self.cache_reader).respond(request)

    def create_loader(self, resources: Mapping[str, Any] | None = None) -> Loader:
        """Create another loader with its own connections."""
        database = Database(self.rig.database._settings, statement_timeout_seconds=30, for_loading=True)
        self.loaders.append(database)
        loaded = resources or self.rig.resources
        return Loader(
            database, loaded, self.rig.objects.open, cache=CacheInvalidator(ValkeyClient(self.settings, 1.0), loaded)
        )

    def load_batch(self, *writes: Write | bytes, loader: Loader | None = None) -> LoadResult:
        """Load a batch. The replica may not have it before `wait_for_replicas`."""
        key = self.rig.objects.put(f"batches/{len(self.rig.objects.content)}", writes)
        return (loader or self._first_loader).load_batch("bucket", key)

    @property
    def _first_loader(self) -> Loader:
        if "first" not in self.__dict__:
            self.__dict__["first"] = self.create_loader()
        return self.__dict__["first"]  # type: ignore[no-any-return]

    def wait_for_replicas(self) -> None:
        self.servers.wait_for_replicas()

    def get(self, path: str, query: Mapping[str, str] | None = None, *, owner: str = OWNER, **more: Any) -> Answer:
        sent = event("GET", path, query=query, claims={"sub": owner}, **more)
        answer: dict[str, Any] = self._handle(sent, Context())
        return Answer(answer["statusCode"], answer["headers"], json.loads(answer["body"]) if answer["body"] else None)

    def load_and_cache_item(self) -> Write:
        """Load a thing and read it, so that the cache has it."""
        write = put({"label": "first"})
        self.load_batch(write)
        self.wait_for_replicas()
        self.get(f"things/{write.id}")
        assert self.get_with_cache_state(f"things/{write.id}")[0] == "hit"
        return write

    def get_with_cache_state(
        self, path: str, query: Mapping[str, str] | None = None, **more: Any
    ) -> tuple[str, Answer]:
        """Return what the log says of the cache (`hit`, `miss`, `unavailable` or nothing), and the response."""
        answer = self.get(path, query, **more)
        return str(_log_fields.get("cache", "")), answer

    @contextmanager
    def stop_replication(self) -> Iterator[None]:
        """Stop the replica's SQL thread: it applies nothing."""
        with self.servers.replica.connect_as_root() as connection, connection.cursor() as cursor:
            cursor.execute("STOP SLAVE SQL_THREAD")
            try:
                yield
            finally:
                cursor.execute("START SLAVE SQL_THREAD")

    @contextmanager
    def open_reader(self) -> Iterator[tuple[Database, CacheReader]]:
        """Open another reader with its own connections."""
        replica, client = (
            Database(self.replica._settings, statement_timeout_seconds=30),
            ValkeyClient(self.settings, 1.0),
        )
        try:
            yield replica, CacheReader(client, 600)
        finally:
            replica.drop_connection()
            client.close()

    def create_read_context(self, replica: Database, cache_reader: CacheReader) -> ReadContext:
        """Create the context of a read by the owner of the things."""
        unused: Any = None
        reads = ReplicaReads(replica)
        return ReadContext(unused, self.rig.resources["things"], OWNER, reads, unused, cache_reader)

    def select_epoch_row(self) -> str:
        """Select the epoch's row on the primary."""
        rows = self.rig.rows("SELECT version FROM marks WHERE name = 'cache'")
        return str(rows[0]["version"]) if rows else ""

    def close(self) -> None:
        for database in (self.replica, *self.loaders):
            database.drop_connection()
        self.client.close()


@contextmanager
def create_cache_rig(
    rig: Rig, servers: DatabaseServers, cache: CacheServer, patch: pytest.MonkeyPatch
) -> Iterator[CacheRig]:
    patch.setattr("sluice.cache.valkey_client.read_credentials", lambda _arn: Credentials(*cache.credentials))
    for name, value in {"SERVICE_NAME": "sluice", "METRICS_NAMESPACE": "Sluice", "TRACE_DISABLED": "1"}.items():
        patch.setenv(f"POWERTOOLS_{name}", value)
    cache_rig = CacheRig(rig, servers, cache)
    cache_rig.wait_for_replicas()
    try:
        yield cache_rig
    finally:
        cache_rig.close()
