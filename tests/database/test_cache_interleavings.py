"""Any interleaving of loads, replication, readers and faults: no reader sees an older state than the replica showed.

The cache server is real, and the code that reads and invalidates is the deployed code. The database is a model,
because a real one cannot be stopped between any two steps.
"""

import datetime
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local.cache import CacheServer
from sluice.aws.secrets import Credentials
from sluice.cache import epoch
from sluice.cache.epoch import Epoch, TouchedItems, item_key, load_count_key
from sluice.cache.invalidation import CacheInvalidator
from sluice.cache.reader import EPOCH_TRUST_SECONDS, CacheReader
from sluice.cache.valkey_client import Command, ValkeyClient
from sluice.errors import CacheUnavailable
from sluice.model.item_state import ItemAddress, ItemState
from sluice.settings import CacheSettings
from tests.database.things import CODES

KEYS = ("A", "B")
MOMENT = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
RESOURCES = {"codes": CODES}


class FlakyClient(ValkeyClient):
    """A client that cannot reach the cache, or (`deaf`) does not receive its replies."""

    broken, deaf = False, False

    def send_commands(self, *commands: Command) -> list[Any]:
        if not self.broken:
            return super().send_commands(*commands)
        if self.deaf:
            super().send_commands(*commands)
        raise CacheUnavailable("TimeoutError")


@dataclass
class Snapshot:
    """What a database contains: the version of each item, and the epoch's row. `swapped`: a rebuild created it."""

    versions: dict[str, str] = field(default_factory=dict)
    row: str = ""
    swapped: bool = False


class LoadModel:
    """A transaction that locks the epoch's row from its invalidation to its end."""

    def __init__(self, world: "World", keys: list[str]) -> None:
        self.world, self.keys = world, keys
        self.next = Snapshot(dict(world.primary.versions), world.primary.row)
        for key in keys:
            self.next.versions[key] = world.create_version()

    def count_load(self) -> Epoch:
        row = self.next.row
        self.next.row = f"{row[:16]}{int(row[16:]) + 1:010}" if row else epoch.create_epoch_value()
        return epoch.parse_epoch(self.next.row)

    def start_new_epoch(self) -> None:
        self.next.row = epoch.create_epoch_value()

    def invalidate_items(self) -> None:
        touched = TouchedItems()
        touched.add_rows({"codes": [f"\n{key}" for key in self.keys]})
        self.world.invalidator.invalidate_items(self, touched)


class ReaderModel:
    """A process that reads. It may have read the replica and not yet stored the result in the cache."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.cache_reader = CacheReader(world.reading, 600, clock=lambda: world.now)
        self.shown: tuple[str, str, str, float, str] | None = None


class World:
    """A primary, its replica, two readers, one load at a time, and the cache between them."""

    def __init__(self, reading: ValkeyClient, loading: FlakyClient) -> None:
        self.reading, self.loading = reading, loading
        self.invalidator = CacheInvalidator(loading, RESOURCES)
        self.now, self.count = 0.0, 0
        first = Snapshot({key: self.create_version() for key in KEYS})
        self.committed, self.applied = [first], 0
        self.load: LoadModel | None = None
        self.readers = [ReaderModel(self), ReaderModel(self)]
        # When the replica first showed each version of each item.
        self.seen: dict[str, list[tuple[float, str]]] = {key: [(0.0, first.versions[key])] for key in KEYS}
        self.has_fault = False
        self.hits = 0

    @property
    def primary(self) -> Snapshot:
        return self.committed[-1]

    @property
    def replica(self) -> Snapshot:
        return self.committed[self.applied]

    @property
    def replica_moment(self) -> str:
        """The number of commits that the replica has, in place of a moment."""
        return f"{self.applied:04}"

    def create_version(self) -> str:
        self.count += 1
        return f"{self.count:026}"

    def run_step(self, name: str, key: str, who: int) -> None:  # noqa: C901, PLR0912  a case for each step there is
        reader = self.readers[who]
        match name:
            case "invalidate" if self.load is None:
                self.load = LoadModel(self, [key] if who else list(KEYS))
                self.load.invalidate_items()
            case "fail to invalidate" if self.load is None:
                # The loader cannot reach the cache, but the readers can; or it does not receive the reply.
                self.load, self.has_fault = LoadModel(self, [key]), True
                self.loading.broken, self.loading.deaf = True, bool(who)
                self.load.invalidate_items()
                self.loading.broken = False
            case "commit" if self.load:
                self.committed.append(self.load.next)
                self.load = None
            case "die":
                self.load = None
            case "replicate" if self.applied < len(self.committed) - 1:
                self.applied += 1
                for item in KEYS:
                    before = [] if self.replica.swapped else self.seen[item]
                    self.seen[item] = [*before, (self.now, self.replica.versions[item])]
            case "read":
                self.read_item(reader, key)
            case "store" if reader.shown:
                self.store_item(reader)
            case "lose":
                self.reading.send_commands(("UNLINK", *self.all_keys()))
            case "evict":
                self.reading.send_commands(("UNLINK", item_key(self.replica.row[:16], ItemAddress(CODES, "", key))))
            case "evict loads":
                self.reading.send_commands(("UNLINK", load_count_key(self.replica.row[:16])))
            case "swap" if self.load is None:
                # A rebuild without the last writes lowers versions, and its new table has no epoch.
                self.committed.append(Snapshot(dict(self.committed[0].versions), swapped=True))
                self.has_fault = True
            case "wait":
                self.now += 0.6

    def read_item(self, reader: ReaderModel, key: str) -> None:
        """Read from the cache, else from the replica. A later step stores the replica's result."""
        if reader.shown:
            self.store_item(reader)
        address = ItemAddress(CODES, "", key)
        entry = reader.cache_reader.read_item(address)
        if entry is None:
            reader.shown = (key, self.replica.versions[key], self.replica.row, self.now, self.replica_moment)
            return
        self.hits += 1
        state = entry.state
        # Without faults, at least what the replica shows now; else, what it showed a moment ago.
        since = self.now - (EPOCH_TRUST_SECONDS if self.has_fault else 0)
        min_version = max((version for moment, version in self.seen[key] if moment <= since), default="")
        assert state.version >= min_version, f"{key} is {state.version}, but the replica has shown {min_version}"
        # Also with faults, what the replica had at the moment that the response names: nothing older, nothing newer.
        moment = max(entry.moment, reader.cache_reader.moment)
        named = self.committed[int(moment)]
        assert state.version == named.versions[key], f"{key} is {state.version}, another one than at {moment}"

    def store_item(self, reader: ReaderModel) -> None:
        assert reader.shown
        key, version, row, asked_at, moment = reader.shown
        reader.shown = None
        state = ItemState(version, MOMENT, b"{}")
        reader.cache_reader.store_item(ItemAddress(CODES, "", key), state, row or None, asked_at, moment)

    def all_keys(self) -> list[str]:
        names = {snapshot.row[:16] for snapshot in self.committed}
        return [
            name
            for epoch_name in names
            for name in (
                load_count_key(epoch_name),
                *(item_key(epoch_name, ItemAddress(CODES, "", key)) for key in KEYS),
            )
        ]


USUAL = ("invalidate", "commit", "replicate", "read", "read", "store", "store", "wait")
RARE = ("die", "lose", "evict", "evict loads")
steps = st.tuples(st.sampled_from(USUAL + RARE), st.sampled_from(KEYS), st.integers(0, 1))
rough_steps = st.tuples(
    st.sampled_from((*USUAL, *RARE, "fail to invalidate", "swap")), st.sampled_from(KEYS), st.integers(0, 1)
)


@pytest.fixture(scope="module")
def clients(cache: CacheServer) -> Iterator[tuple[ValkeyClient, FlakyClient]]:
    cache.start()
    trust = ssl.create_default_context(cafile=str(cache.certificates / "ca.pem"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sluice.cache.valkey_client.read_credentials", lambda _arn: Credentials(*cache.credentials))
        patch.setattr("sluice.cache.valkey_client.create_cache_tls_context", lambda: trust)
        server = CacheSettings("localhost", cache.port, "cache", 600)
        clients = ValkeyClient(server, 2.0), FlakyClient(server, 2.0)
        yield clients
        for client in clients:
            client.close()


@given(st.lists(steps, min_size=20, max_size=60))
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_reader_sees_an_older_state_than_the_replica_showed(clients: Any, plan: list[Any]) -> None:
    world = World(*clients)
    for step in plan:
        world.run_step(*step)


@given(st.lists(rough_steps, min_size=20, max_size=60))
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_after_a_failed_invalidation_readers_may_do_so_for_one_second(clients: Any, plan: list[Any]) -> None:
    world = World(*clients)
    for step in plan:
        world.run_step(*step)


def test_such_plans_use_the_cache(clients: Any) -> None:
    """Otherwise the properties would prove nothing."""
    world = World(*clients)
    for name in ("invalidate", "commit", "replicate", "read", "store", "read"):
        world.run_step(name, "A", 0)
    assert world.hits == 1


def test_a_state_read_before_the_cache_was_lost_is_not_served_after_the_next_load(clients: Any) -> None:
    """A plan that random search rarely finds: the replica lags while the cache is empty, and catches up later."""
    world = World(*clients)
    for name, key, who in (
        *((name, "A", 0) for name in ("invalidate", "commit", "replicate", "read", "store")),
        *((name, "A", 1) for name in ("invalidate", "commit", "lose", "read", "store")),
        *((name, "B", 1) for name in ("invalidate", "commit", "replicate", "replicate")),
        ("read", "A", 1),
    ):
        world.run_step(name, key, who)
    assert world.hits == 0
