"""A read cache between a loader and a reader: a real Redis server, a real primary with its replica."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from local.cache import CacheServer
from local.database import DatabasePair
from sluice.aws.secrets import Credentials
from sluice.cache.invalidation import CacheInvalidator
from sluice.cache.reader import CacheReader
from sluice.cache.valkey_client import ValkeyClient
from sluice.db.connection import Database
from sluice.http.api_gateway import create_api_handler
from sluice.load.load_types import LoadResult
from sluice.load.loader import Loader
from sluice.model.record import Write
from sluice.observability import _log_fields
from sluice.query import read_router as answers
from sluice.query.read_context import ReadContext
from sluice.settings import CacheSettings
from tests.database.rig import Rig
from tests.database.things import OWNER, put
from tests.unit.requesting import Answer, Context, event


class Caching:
    """A loader that withdraws from the cache, and a reader of the replica that asks the cache first."""

    def __init__(self, rig: Rig, pair: DatabasePair, cache: CacheServer) -> None:
        self.rig, self.pair, self.cache = rig, pair, cache
        self.settings = CacheSettings("localhost", cache.port, "cache", 600)
        self.replica = Database(
            msgspec.structs.replace(rig.database._settings, database_port=pair.replica.port),
            statement_timeout_seconds=30,
        )
        self.loaders: list[Database] = []
        self.client = ValkeyClient(self.settings, 1.0)
        self.lookup = CacheReader(self.client, 600)
        self._handle = create_api_handler("get", answers.respond_to_read)

    def loader(self, resources: Mapping[str, Any] | None = None) -> Loader:
        """Another loader with connections of its own."""
        database = Database(self.rig.database._settings, statement_timeout_seconds=30, for_loading=True)
        self.loaders.append(database)
        known = resources or self.rig.resources
        return Loader(
            database, known, self.rig.objects.open, cache=CacheInvalidator(ValkeyClient(self.settings, 1.0), known)
        )

    def load(self, *writes: Write | bytes, loader: Loader | None = None) -> LoadResult:
        """Load a batch; the replica does not have it before `follow`."""
        key = self.rig.objects.put(f"batches/{len(self.rig.objects.content)}", writes)
        return (loader or self._loader).load_batch("bucket", key)

    @property
    def _loader(self) -> Loader:
        if "first" not in self.__dict__:
            self.__dict__["first"] = self.loader()
        return self.__dict__["first"]  # type: ignore[no-any-return]

    def follow(self) -> None:
        self.pair.wait_for_replica()

    def get(self, path: str, query: Mapping[str, str] | None = None, *, owner: str = OWNER, **more: Any) -> Answer:
        sent = event("GET", path, query=query, claims={"sub": owner}, **more)
        answer: dict[str, Any] = self._handle(sent, Context())
        return Answer(answer["statusCode"], answer["headers"], json.loads(answer["body"]) if answer["body"] else None)

    def known(self) -> Write:
        """A thing that the cache has: loaded, followed by the replica, and read."""
        write = put({"label": "first"})
        self.load(write)
        self.follow()
        self.get(f"things/{write.id}")
        assert self.seen(f"things/{write.id}")[0] == "hit"
        return write

    def seen(self, path: str, query: Mapping[str, str] | None = None, **more: Any) -> tuple[str, Answer]:
        """An answer, and what its line says of the cache: `hit`, `miss`, `away`, or nothing."""
        answer = self.get(path, query, **more)
        return str(_log_fields.get("cache", "")), answer

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """While the replica applies nothing."""
        with self.pair.replica.connect_as_root() as connection, connection.cursor() as cursor:
            cursor.execute("STOP SLAVE SQL_THREAD")
            try:
                yield
            finally:
                cursor.execute("START SLAVE SQL_THREAD")

    @contextmanager
    def reading(self) -> Iterator[tuple[Database, CacheReader]]:
        """Another reader, with connections of its own."""
        replica, client = (
            Database(self.replica._settings, statement_timeout_seconds=30),
            ValkeyClient(self.settings, 1.0),
        )
        try:
            yield replica, CacheReader(client, 600)
        finally:
            replica.drop_connection()
            client._drop()

    def question(self, replica: Database, lookup: CacheReader) -> ReadContext:
        """A question of the owner of things."""
        unused: Any = None
        return ReadContext(unused, self.rig.resources["things"], OWNER, replica, unused, lookup)

    def row(self) -> str:
        """The row of the generation on the primary."""
        found = self.rig.rows("SELECT version FROM marks WHERE name = 'cache'")
        return str(found[0]["version"]) if found else ""

    def close(self) -> None:
        for one in (self.replica, *self.loaders):
            one.drop_connection()
        self.client._drop()


@contextmanager
def caching(rig: Rig, pair: DatabasePair, cache: CacheServer, patch: pytest.MonkeyPatch) -> Iterator[Caching]:
    patch.setattr("sluice.cache.valkey_client.credentials", lambda _arn: Credentials(*cache.credentials))
    for name, value in {"SERVICE_NAME": "sluice", "METRICS_NAMESPACE": "Sluice", "TRACE_DISABLED": "1"}.items():
        patch.setenv(f"POWERTOOLS_{name}", value)
    made = Caching(rig, pair, cache)
    patch.setattr("sluice.query.read_router._replica", lambda: made.replica)
    patch.setattr("sluice.query.read_router._cache", lambda: made.lookup)
    patch.setattr("sluice.query.read_router.resources", lambda: rig.resources)
    settings = SimpleNamespace(buffer_seconds=60, wait_seconds=3, stale_seconds=600)
    patch.setattr("sluice.query.read_router._settings", lambda: settings)
    made.follow()
    try:
        yield made
    finally:
        made.close()
