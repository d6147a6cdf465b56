"""Several loaders at the same time: on the same items, and on the same batch."""

import random
import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest

from sluice.db.connection import Database
from sluice.model.record import Write
from tests.database.deployed import Loading, Root
from tests.database.shaky import ProcessDied, ShakyDatabase
from tests.database.things import CODES, delete, put

LOADERS = 4
BATCHES = 40
BAD = msgspec.Raw(b'{"label":"x","count":9223372036854775808}')


@pytest.fixture
def databases(loading: Loading, root: Root) -> Iterator[list[ShakyDatabase]]:
    databases = [ShakyDatabase(loading.settings, lambda id_: root.run("KILL %s", id_)) for _ in range(LOADERS)]
    yield databases
    for database in databases:
        database.drop_connection()


def overlapping_batches(bad: float) -> list[list[Write]]:
    """Batches of 300 writes to 1,000 things, in the order of versions; `bad` is the share of bad writes.

    Every second one also has writes to 100 codes. They would keep the loaders one behind the other if all had.
    """
    chance = random.Random(1)
    # The table's order of these ids is not the order of their text.
    things = [str(uuid.UUID(int=chance.getrandbits(128), version=4)) for _ in range(1000)]

    def write(codes: float) -> Write:
        if chance.random() < codes:
            code = f"code-{chance.randrange(100)}"
            return put({"code": code, "text": str(chance.random())}, code, resource=CODES)
        item = chance.choice(things)
        if chance.random() < 0.1:
            return delete(item)
        write = put({"label": str(chance.random())}, item)
        if chance.random() < bad:
            write.data = BAD
        return write

    return [[write(0.2 * (number % 2)) for _ in range(300)] for number in range(BATCHES)]


def latest(batches: list[list[Write]]) -> dict[tuple[str, str], str]:
    """The version of each item's latest good write."""
    ordered = sorted((write for batch in batches for write in batch), key=lambda write: write.version)
    return {(write.collection, write.id): write.version for write in ordered if write.data is not BAD}


@pytest.mark.parametrize("bad", [0, 0.01], ids=["good", "some bad"])
def test_loaders_over_the_same_items_agree(
    loading: Loading, root: Root, databases: list[ShakyDatabase], capsys: pytest.CaptureFixture[str], bad: float
) -> None:
    batches = overlapping_batches(bad)
    keys = [loading.rig.objects.put(f"batches/{number}", batch) for number, batch in enumerate(batches)]
    random.Random(2).shuffle(keys)
    before = deadlocks(root)

    def load(database: Database, share: list[str]) -> list[str]:
        return [loading.load_existing(key, database) for key in share]

    with ThreadPoolExecutor(LOADERS) as pool:
        shares = [keys[n::LOADERS] for n in range(LOADERS)]
        statuses = [status for done in pool.map(load, databases, shares) for status in done]
    retries = deadlocks(root) - before
    with capsys.disabled():
        print(
            f"\n{LOADERS} loaders, {BATCHES} batches, {bad:.0%} of the writes bad: {retries} retries after a deadlock"
        )
    assert Counter(statuses) == {"loaded": BATCHES}
    stored_versions = {
        (collection, row["id"]): row["version"]
        for collection in ("things", "codes")
        for row in loading.rig.rows(f"SELECT id, version FROM {collection}")
    }
    assert stored_versions == latest(batches)
    counts = loading.rig.rows("SELECT applied + stale + rejected AS n FROM loaded_batches")
    assert [row["n"] for row in counts] == [300] * BATCHES
    # Every loader locks rows in the order of the table, so that loads wait but do not deadlock. Only if the
    # latest write to an item is bad, an earlier one is merged later, out of this order.
    assert bad or retries == 0


def deadlocks(root: Root) -> int:
    return int(root.run("SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'")[0][1])


def load_at_once(loading: Loading, root: Root, databases: list[ShakyDatabase]) -> list[str]:
    """Load one batch with all loaders. The first one commits when the others already wait for it."""
    key = loading.rig.objects.put("batches/a", [put({"label": "x"}), put({"label": "y"})])
    first, *others = databases
    waiting = [connection_id(other) for other in others]
    at_commit = threading.Event()

    def wait_for_others() -> None:
        at_commit.set()
        for waiting_database in waiting:
            root.wait_for_lock(waiting_database)

    def load(database: ShakyDatabase) -> str:
        if database is not first:
            assert at_commit.wait(20)
        try:
            return loading.load_existing(key, database)
        except ProcessDied:
            return "died"

    first.before_commit = wait_for_others
    with ThreadPoolExecutor(len(databases)) as pool:
        return list(pool.map(load, databases))


def connection_id(database: ShakyDatabase) -> int:
    wire: Any = database.get_connection()
    return int(wire.thread_id())


def test_the_same_batch_at_once_is_loaded_once(loading: Loading, root: Root, databases: list[ShakyDatabase]) -> None:
    assert load_at_once(loading, root, databases) == ["loaded"] + ["already_loaded"] * (LOADERS - 1)
    assert loading.rig.rows("SELECT applied FROM loaded_batches") == [{"applied": 2}]


def test_when_the_first_dies_another_loads_the_batch(
    loading: Loading, root: Root, databases: list[ShakyDatabase]
) -> None:
    databases[0].mishap = "dies_before_commit"
    statuses = load_at_once(loading, root, databases)
    assert statuses[0] == "died"
    assert sorted(statuses[1:]) == ["already_loaded"] * (LOADERS - 2) + ["loaded"]
    assert loading.rig.rows("SELECT applied FROM loaded_batches") == [{"applied": 2}]
