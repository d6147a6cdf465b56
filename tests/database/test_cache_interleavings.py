"""Any interleaving of loads, replication, readers and mishaps: no reader goes back behind what the replica has shown.

The cache is a real one, the code that reads and withdraws is the deployed one. The database is a model, since a real
one could not be stopped between any two steps.
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


class Flaky(ValkeyClient):
    """A client that may not reach the cache, or (`deaf`) not hear that it was obeyed."""

    broken, deaf = False, False

    def ask(self, *commands: Command) -> list[Any]:
        if not self.broken:
            return super().send_commands(*commands)
        if self.deaf:
            super().send_commands(*commands)
        raise CacheUnavailable("TimeoutError")


@dataclass
class Snapshot:
    """What a database shows: the version of each item, and the row of the generation. `swapped` in by a rebuild."""

    versions: dict[str, str] = field(default_factory=dict)
    row: str = ""
    swapped: bool = False


class Load:
    """A transaction that holds the row's lock from its withdrawal to its end."""

    def __init__(self, world: "World", keys: list[str]) -> None:
        self.world, self.keys = world, keys
        self.next = Snapshot(dict(world.primary.versions), world.primary.row)
        for key in keys:
            self.next.versions[key] = world.version()

    def count_load(self) -> Epoch:
        row = self.next.row
        self.next.row = f"{row[:16]}{int(row[16:]) + 1:010}" if row else epoch.create_epoch_value()
        return epoch.parse_epoch(self.next.row)

    def start_new_epoch(self) -> None:
        self.next.row = epoch.create_epoch_value()

    def withdraw(self) -> None:
        touched = TouchedItems()
        touched.add_rows({"codes": [f"\n{key}" for key in self.keys]})
        self.world.withdrawal.invalidate_items(self, touched)


class Reader:
    """A process that reads; it may have asked the replica and not yet kept what it was shown."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.lookup = CacheReader(world.reading, 600, clock=lambda: world.now)
        self.shown: tuple[str, str, str, float] | None = None


class World:
    """A primary, a replica that follows it, two readers, one load at a time, and the cache between."""

    def __init__(self, reading: ValkeyClient, loading: Flaky) -> None:
        self.reading, self.loading = reading, loading
        self.withdrawal = CacheInvalidator(loading, RESOURCES)
        self.now, self.count = 0.0, 0
        first = Snapshot({key: self.version() for key in KEYS})
        self.committed, self.applied = [first], 0
        self.load: Load | None = None
        self.readers = [Reader(self), Reader(self)]
        # When the replica showed each version of each item first.
        self.seen: dict[str, list[tuple[float, str]]] = {key: [(0.0, first.versions[key])] for key in KEYS}
        self.mishap = False
        self.hits = 0

    @property
    def primary(self) -> Snapshot:
        return self.committed[-1]

    @property
    def replica(self) -> Snapshot:
        return self.committed[self.applied]

    def version(self) -> str:
        self.count += 1
        return f"{self.count:026}"

    def step(self, name: str, key: str, who: int) -> None:  # noqa: C901, PLR0912  a case for each step there is
        reader = self.readers[who]
        match name:
            case "withdraw" if self.load is None:
                self.load = Load(self, [key] if who else list(KEYS))
                self.load.withdraw()
            case "withdraw apart" if self.load is None:
                # The loader cannot reach the cache, the readers can; or it does not hear that it was obeyed.
                self.load, self.mishap = Load(self, [key]), True
                self.loading.broken, self.loading.deaf = True, bool(who)
                self.load.withdraw()
                self.loading.broken = False
            case "commit" if self.load:
                self.committed.append(self.load.next)
                self.load = None
            case "die":
                self.load = None
            case "replicate" if self.applied < len(self.committed) - 1:
                self.applied += 1
                for one in KEYS:
                    before = [] if self.replica.swapped else self.seen[one]
                    self.seen[one] = [*before, (self.now, self.replica.versions[one])]
            case "read":
                self.answered(reader, key)
            case "keep" if reader.shown:
                self.keep(reader)
            case "lose":
                self.reading.send_commands(("UNLINK", *self.all_keys()))
            case "evict":
                self.reading.send_commands(("UNLINK", item_key(self.replica.row[:16], ItemAddress(CODES, "", key))))
            case "evict loads":
                self.reading.send_commands(("UNLINK", load_count_key(self.replica.row[:16])))
            case "swap" if self.load is None:
                # A rebuild without what was written last: versions go back, and the row is gone with its table.
                self.committed.append(Snapshot(dict(self.committed[0].versions), swapped=True))
                self.mishap = True
            case "wait":
                self.now += 0.6

    def answered(self, reader: Reader, key: str) -> None:
        """A read up to the replica's answer; what it keeps, it keeps later."""
        if reader.shown:
            self.keep(reader)
        address = ItemAddress(CODES, "", key)
        state = reader.lookup.read_item(address)
        if state is None:
            reader.shown = (key, self.replica.versions[key], self.replica.row, self.now)
            return
        self.hits += 1
        # Where no load failed to withdraw, what the replica shows now; else what it showed so long ago.
        since = self.now - (EPOCH_TRUST_SECONDS if self.mishap else 0)
        least = max((version for moment, version in self.seen[key] if moment <= since), default="")
        assert state.version >= least, f"{key} is {state.version}, but the replica has shown {least}"

    def keep(self, reader: Reader) -> None:
        assert reader.shown
        key, version, row, asked = reader.shown
        reader.shown = None
        state = ItemState(version, MOMENT, b"{}")
        reader.lookup.store_item(ItemAddress(CODES, "", key), state, row or None, asked)

    def all_keys(self) -> list[str]:
        names = {snapshot.row[:16] for snapshot in self.committed}
        return [
            name
            for one in names
            for name in (load_count_key(one), *(item_key(one, ItemAddress(CODES, "", k)) for k in KEYS))
        ]


USUAL = ("withdraw", "commit", "replicate", "read", "read", "keep", "keep", "wait")
RARE = ("die", "lose", "evict", "evict loads")
steps = st.tuples(st.sampled_from(USUAL + RARE), st.sampled_from(KEYS), st.integers(0, 1))
rough = st.tuples(st.sampled_from((*USUAL, *RARE, "withdraw apart", "swap")), st.sampled_from(KEYS), st.integers(0, 1))


@pytest.fixture(scope="module")
def clients(cache: CacheServer) -> Iterator[tuple[ValkeyClient, Flaky]]:
    cache.start()
    trust = ssl.create_default_context(cafile=str(cache.certificates / "ca.pem"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sluice.cache.valkey_client.read_credentials", lambda _arn: Credentials(*cache.credentials))
        patch.setattr("sluice.cache.valkey_client.create_cache_tls_context", lambda: trust)
        where = CacheSettings("localhost", cache.port, "cache", 600)
        made = ValkeyClient(where, 2.0), Flaky(where, 2.0)
        yield made
        for one in made:
            one.close()


@given(st.lists(steps, min_size=20, max_size=60))
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_reader_goes_back_behind_the_replica(clients: Any, plan: list[Any]) -> None:
    world = World(*clients)
    for step in plan:
        world.step(*step)


@given(st.lists(rough, min_size=20, max_size=60))
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_after_a_load_that_could_not_withdraw_it_does_for_a_second(clients: Any, plan: list[Any]) -> None:
    world = World(*clients)
    for step in plan:
        world.step(*step)


def test_such_plans_do_hit(clients: Any) -> None:
    """Or the properties would say nothing."""
    world = World(*clients)
    for name in ("withdraw", "commit", "replicate", "read", "keep", "read"):
        world.step(name, "A", 0)
    assert world.hits == 1


def test_what_a_replica_showed_before_the_cache_was_lost_is_not_there_when_a_load_opens_it(clients: Any) -> None:
    """A plan that chance hardly finds: the replica is behind while the cache is empty, and level again afterwards."""
    world = World(*clients)
    for name, key, who in (
        *((name, "A", 0) for name in ("withdraw", "commit", "replicate", "read", "keep")),
        *((name, "A", 1) for name in ("withdraw", "commit", "lose", "read", "keep")),
        *((name, "B", 1) for name in ("withdraw", "commit", "replicate", "replicate")),
        ("read", "A", 1),
    ):
        world.step(name, key, who)
    assert world.hits == 0
