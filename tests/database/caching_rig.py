"""A read cache between a loader and a reader: a real Redis server, a real primary with its replica."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from local.cache import Cache
from local.database import Pair
from sluice.api.function import api_function
from sluice.cache.client import Client
from sluice.cache.lookup import Lookup
from sluice.cache.withdrawal import Withdrawal
from sluice.credentials import Credentials
from sluice.database import Database
from sluice.loading.load import Loader
from sluice.loading.transaction import Outcome
from sluice.observability import _line
from sluice.reading import answers
from sluice.reading.question import Question
from sluice.records import Write
from sluice.settings import CacheSettings
from tests.database.rig import Rig
from tests.database.things import OWNER, put
from tests.unit.requesting import Answer, Context, event


class Caching:
    """A loader that withdraws from the cache, and a reader of the replica that asks the cache first."""

    def __init__(self, rig: Rig, pair: Pair, cache: Cache) -> None:
        self.rig, self.pair, self.cache = rig, pair, cache
        self.settings = CacheSettings("localhost", cache.port, "cache", 600)
        self.replica = Database(
            msgspec.structs.replace(rig.database._settings, database_port=pair.replica.port), statement_seconds=30
        )
        self.loaders: list[Database] = []
        self.client = Client(self.settings, 1.0)
        self.lookup = Lookup(self.client, 600)
        self._handle = api_function("get", answers.answer)

    def loader(self, resources: Mapping[str, Any] | None = None) -> Loader:
        """Another loader with connections of its own."""
        database = Database(self.rig.database._settings, statement_seconds=30, loading=True)
        self.loaders.append(database)
        known = resources or self.rig.resources
        return Loader(database, known, self.rig.objects.open, cache=Withdrawal(Client(self.settings, 1.0), known))

    def load(self, *writes: Write | bytes, loader: Loader | None = None) -> Outcome:
        """Load a batch; the replica does not have it before `follow`."""
        key = self.rig.objects.put(f"batches/{len(self.rig.objects.content)}", writes)
        return (loader or self._loader).load("bucket", key)

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
        return str(_line.get("cache", "")), answer

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
    def reading(self) -> Iterator[tuple[Database, Lookup]]:
        """Another reader, with connections of its own."""
        replica, client = Database(self.replica._settings, statement_seconds=30), Client(self.settings, 1.0)
        try:
            yield replica, Lookup(client, 600)
        finally:
            replica.drop()
            client._drop()

    def question(self, replica: Database, lookup: Lookup) -> Question:
        """A question of the owner of things."""
        unused: Any = None
        return Question(unused, self.rig.resources["things"], OWNER, replica, unused, lookup)

    def row(self) -> str:
        """The row of the generation on the primary."""
        found = self.rig.rows("SELECT version FROM marks WHERE name = 'cache'")
        return str(found[0]["version"]) if found else ""

    def close(self) -> None:
        for one in (self.replica, *self.loaders):
            one.drop()
        self.client._drop()


@contextmanager
def caching(rig: Rig, pair: Pair, cache: Cache, patch: pytest.MonkeyPatch) -> Iterator[Caching]:
    patch.setattr("sluice.cache.client.credentials", lambda _arn: Credentials(*cache.user))
    for name, value in {"SERVICE_NAME": "sluice", "METRICS_NAMESPACE": "Sluice", "TRACE_DISABLED": "1"}.items():
        patch.setenv(f"POWERTOOLS_{name}", value)
    made = Caching(rig, pair, cache)
    patch.setattr("sluice.reading.answers._replica", lambda: made.replica)
    patch.setattr("sluice.reading.answers._cache", lambda: made.lookup)
    patch.setattr("sluice.reading.answers.resources", lambda: rig.resources)
    settings = SimpleNamespace(buffer_seconds=60, wait_seconds=3, stale_seconds=600)
    patch.setattr("sluice.reading.answers._settings", lambda: settings)
    made.follow()
    try:
        yield made
    finally:
        made.close()
