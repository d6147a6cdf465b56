"""A load runs completely before a swap or completely after it, and no load waits for long."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pymysql
import pytest

from sluice.db.connection import Database
from sluice.errors import LockConflict
from sluice.load.fast.fast_writer import FastWriter
from sluice.load.load_types import LedgerMode
from sluice.load.loader import Loader
from sluice.model.record import Write
from sluice.model.schema_names import shadow_schema_name
from tests.database.conftest import Connect
from tests.database.deployed import Root
from tests.database.rebuild_rig import Rebuilding
from tests.database.rig import Rig
from tests.database.things import CODES, put

LOADERS = 3


@pytest.fixture
def rebuilding(rig: Rig, connect: Connect) -> Iterator[Rebuilding]:
    created = Rebuilding(rig, connect(autocommit=True))
    yield created
    created.clean()


class Loads:
    """Loads in separate threads with separate connections. Each batch has a code and a thing."""

    def __init__(self, rebuilding: Rebuilding) -> None:
        self._rebuilding, self._rig = rebuilding, rebuilding.rig
        self.threads: list[threading.Thread] = []
        self.errors: list[BaseException] = []
        self.batches: dict[str, list[Write]] = {}

    def batch(self, name: str, count: int = 1) -> str:
        writes = [put({"code": f"{name}-{n}"}, f"{name}-{n}", "", CODES) for n in range(count)]
        writes += [put({"label": name}) for _ in range(count)]
        key = self._rig.objects.put(f"batches/{name}", writes)
        self.batches[key] = writes
        return key

    def start(self, work: Callable[[Loader], object], entry: LedgerMode = "once") -> threading.Thread:
        def run() -> None:
            database = Database(self._rig.database._settings, statement_timeout_seconds=30, for_loading=True)
            try:
                work(Loader(database, self._rig.resources, self._rig.objects.open, entry))
            except BaseException as error:  # noqa: BLE001  raised in the test's thread
                self.errors.append(error)
            finally:
                database.drop_connection()

        thread = threading.Thread(target=run)
        self.threads.append(thread)
        thread.start()
        return thread

    def end(self) -> None:
        for thread in self.threads:
            thread.join(60)
        assert self.errors == []

    def find_schemas(self, key: str, schemas: dict[str, str]) -> tuple[set[str], set[str]]:
        """The schemas that have a batch's ledger entry, and the schemas that have some of its rows."""
        ledger, rows = set(), set()
        for name, schema in schemas.items():
            if self._rebuilding.rows(f"SELECT 1 FROM {schema}.loaded_batches WHERE object_key = %s", key):
                ledger.add(name)
            for write in self.batches[key]:
                if self._rebuilding.rows(
                    f"SELECT 1 FROM {schema}.{write.collection} WHERE version = %s", write.version
                ):
                    rows.add(name)
        return ledger, rows


@pytest.fixture
def loads(rebuilding: Rebuilding) -> Iterator[Loads]:
    created = Loads(rebuilding)
    yield created
    for thread in created.threads:
        thread.join(60)


@contextmanager
def pause_load(monkeypatch: pytest.MonkeyPatch, batch: str) -> Iterator[threading.Event]:
    """Pause the load of a batch in its transaction, after its codes and before its things."""
    reached, resume = threading.Event(), threading.Event()
    apply = FastWriter.apply_rows

    def apply_and_pause(self: Any, collection: str, part: Any, *more: Any) -> Any:
        tally = apply(self, collection, part, *more)
        if any(batch in key for key in part.rows.get("codes", ())) and collection == "codes":
            reached.set()
            assert resume.wait(30)
        return tally

    monkeypatch.setattr(FastWriter, "apply_rows", apply_and_pause)
    resume.reached = reached  # type: ignore[attr-defined]
    try:
        yield resume
    finally:
        resume.set()


def wait_for_locks(rebuilding: Rebuilding, count: int) -> None:
    """Return when `count` statements have been waiting for a lock for a tenth of a second."""
    deadline = time.monotonic() + 20
    while True:
        rows = rebuilding.rows(
            "SELECT COUNT(*) AS n FROM information_schema.processlist "
            "WHERE command = 'Query' AND time_ms > 100 AND id <> CONNECTION_ID()"
        )
        if rows[0]["n"] >= count:
            return
        assert time.monotonic() < deadline, "nothing waits"
        time.sleep(0.02)


@pytest.mark.parametrize("entry", ["once", "bypass"])
def test_a_running_load_ends_before_the_swap(
    rebuilding: Rebuilding, loads: Loads, monkeypatch: pytest.MonkeyPatch, entry: LedgerMode
) -> None:
    monkeypatch.setattr("sluice.schema.swap.SWAP_WAIT_SECONDS", 1)
    rebuilding.prepare()
    key = loads.batch("early")
    with pause_load(monkeypatch, "early") as resume:
        loads.start(lambda loader: loader.load_batch("bucket", key), entry)
        assert resume.reached.wait(20)  # type: ignore[attr-defined]
        began = time.monotonic()
        with pytest.raises(LockConflict):
            rebuilding.swap()
        assert time.monotonic() - began < 3
        # Nothing is left of the attempt, and other loads continue.
        assert rebuilding.schemas() == [shadow_schema_name(rebuilding.schema)]
    loads.end()
    schemas = {"before": rebuilding.swap(), "after": rebuilding.schema}
    assert loads.find_schemas(key, schemas) == ({"before"} if entry == "once" else set(), {"before"})


@pytest.mark.parametrize("entry", ["once", "bypass"])
def test_a_load_that_starts_during_a_waiting_swap_runs_after_it(
    rebuilding: Rebuilding, loads: Loads, monkeypatch: pytest.MonkeyPatch, entry: LedgerMode
) -> None:
    monkeypatch.setattr("sluice.schema.swap.SWAP_WAIT_SECONDS", 20)
    rebuilding.prepare()
    early, late = loads.batch("early"), loads.batch("late")
    retained: list[str] = []
    with pause_load(monkeypatch, "early") as resume:
        loads.start(lambda loader: loader.load_batch("bucket", early), entry)
        assert resume.reached.wait(20)  # type: ignore[attr-defined]
        swap = threading.Thread(target=lambda: retained.append(rebuilding.swap()))
        swap.start()
        wait_for_locks(rebuilding, 1)
        loads.start(lambda loader: loader.load_batch("bucket", late), entry)
        wait_for_locks(rebuilding, 2)
    loads.end()
    swap.join()
    schemas = {"before": retained[0], "after": rebuilding.schema}
    entered = entry == "once"
    # The early load may have been the deadlock victim: then it ran completely after the swap.
    assert loads.find_schemas(early, schemas) in [({name} if entered else set(), {name}) for name in schemas]
    assert loads.find_schemas(late, schemas) == ({"after"} if entered else set(), {"after"})


@pytest.mark.slow
@pytest.mark.parametrize("entry", ["once", "bypass"])
def test_under_steady_loads_every_batch_is_on_one_side_of_each_swap(
    rebuilding: Rebuilding, loads: Loads, entry: LedgerMode
) -> None:
    stop = threading.Event()

    def steadily(number: int, loader: Loader) -> None:
        count = 0
        while not stop.is_set():
            loader.load_batch("bucket", loads.batch(f"{number}-{count}", 5))
            count += 1

    rebuilding.prepare()
    for number in range(LOADERS):
        loads.start(partial(steadily, number), entry)
    schemas: dict[str, str] = {}
    try:
        for number in range(2):
            time.sleep(1.1)  # names of retained schemas have a resolution of one second
            schemas[f"swap {number}"] = _swapped(rebuilding)
            rebuilding.prepare()
    finally:
        stop.set()
    loads.end()
    schemas["live"] = rebuilding.schema
    places = [loads.find_schemas(key, schemas) for key in loads.batches]
    assert {len(rows) for _, rows in places} == {1}
    if entry == "once":
        assert [place for place in places if place[0] != place[1]] == []
    # There were loads before and after every swap.
    assert set.union(*(rows for _, rows in places)) == set(schemas)


def _swapped(rebuilding: Rebuilding) -> str:
    """Swap like the workflow: retry while loads lock the tables."""
    for _ in range(20):
        try:
            return rebuilding.swap()
        except LockConflict:
            time.sleep(0.2)
    raise AssertionError("loads never let go")


def test_the_replica_swaps_too(rebuilding: Rebuilding, connect: Connect, servers: Any) -> None:
    key = rebuilding.rig.objects.put("batches/a", [put({"label": "x"})])
    rebuilding.prepare()
    rebuilding.fill([key])
    rebuilding.swap()
    servers.wait_for_replicas()
    with connect(servers.replica).cursor() as cursor:
        cursor.execute("SELECT label FROM things")
        assert cursor.fetchall() == (("x",),)


def test_a_failed_swap_leaves_the_tables_unchanged(rebuilding: Rebuilding, root: Root) -> None:
    key = rebuilding.rig.objects.put("batches/a", [put({"label": "x"})])
    rebuilding.load(key)
    before = rebuilding.tables()
    rebuilding.prepare()
    trigger = f"{rebuilding.schema}.mine"
    root.run(f"CREATE TRIGGER {trigger} BEFORE INSERT ON {rebuilding.schema}.things FOR EACH ROW SET NEW.label = 'y'")
    with pytest.raises(pymysql.Error, match="Trigger in wrong schema"):
        rebuilding.swap()
    root.run(f"DROP TRIGGER {trigger}")
    assert rebuilding.tables() == before
    assert rebuilding.schemas() == [shadow_schema_name(rebuilding.schema)]
    rebuilding.swap()
