"""`make bench`: how fast batches get into a real primary with its replica, against other ways to write, in one run."""

import gzip
import io
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from bench.loading.cases import CASES, Cases
from bench.loading.records import Batch
from bench.loading.sent import Ready, executemany, row_by_row
from bench.loading.world import World
from bench.results import keep, short
from sluice.archive import BatchObject

METHODS = ("sluice", "row_by_row", "executemany", "limit")
# A statement for each write takes its time, whatever the batch: so many are enough to know how long.
MOST_ROW_BY_ROW = 1000
FULL, SHORT = {1000: 15, 10_000: 9, 100_000: 5}, {1000: 3, 10_000: 3}
FULL_ROWS, SHORT_ROWS = 1_000_000, 100_000

Rates = dict[str, dict[str, dict[str, float]]]  # case, size, method: rows per second


class Race:
    """One batch of a case for each method, one after the other, the replica level before each."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._cases = Cases(world)
        self._objects: dict[str, BatchObject] = {}
        self._loader = world.loader(self._objects)
        self._single = world.connect(autocommit=True)
        self._number = 0

    def seconds(self, method: str, case: str, size: int) -> float:
        """Seconds per write of one method with a fresh batch."""
        batch = self._cases.batch(case, size)
        run = {"sluice": self._sluice, "executemany": self._many, "row_by_row": self._rows, "limit": self._limit}
        go = run[method](batch, case)
        self._world.pair.wait_for_replica(300)
        started = time.perf_counter()
        written = go()
        return (time.perf_counter() - started) / written

    def _sluice(self, batch: Batch, case: str) -> Callable[[], int]:
        self._number += 1
        key, content, size = f"batches/{self._number}", batch.content, len(batch.writes)
        self._objects[key] = BatchObject(key, "etag", io.BytesIO(content))

        def go() -> int:
            outcome = self._loader.load("bucket", key)
            assert (outcome.status, outcome.applied + outcome.stale) == ("loaded", size), outcome
            assert (outcome.applied == 0) == (case == "stale"), outcome
            return size

        return go

    def _many(self, batch: Batch, _case: str) -> Callable[[], int]:
        content, size = batch.content, len(batch.writes)

        def go() -> int:
            executemany(self._world.connection, gzip.decompress(content))
            return size

        return go

    def _rows(self, batch: Batch, _case: str) -> Callable[[], int]:
        return lambda: row_by_row(self._single, batch, MOST_ROW_BY_ROW)

    def _limit(self, batch: Batch, case: str) -> Callable[[], int]:
        ready, size = Ready(batch.writes, self._world.folder / "ready"), len(batch.writes)

        def go() -> int:
            ready.load(self._world.connection, "IGNORE" if case == "stale" else "REPLACE")
            return size

        return go


def rates(race: Race, cases: tuple[str, ...], methods: tuple[str, ...], sizes: dict[int, int]) -> Rates:
    """The median rates, the methods taking turns, another one first each time."""
    found: Rates = {case: {} for case in cases}
    for size, runs in sizes.items():
        for case in cases:
            times: dict[str, list[float]] = {method: [] for method in methods}
            for run in range(runs):
                for place in range(len(methods)):
                    method = methods[(place + run) % len(methods)]
                    times[method].append(race.seconds(method, case, size))
            found[case][str(size)] = {one: round(1 / statistics.median(times[one])) for one in methods}
            show(case, size, found[case][str(size)])
    return found


def show(case: str, size: int, rate: dict[str, float]) -> None:
    """Print a line: the loader's rate, and as a ratio to each other one."""
    others = ", ".join(f"{rate['sluice'] / rate[name]:.2f} x {name}" for name in rate if name != "sluice")
    print(f"{case:>8} {size:>7,}: {rate['sluice']:>8,} writes per second, {others}", flush=True)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as folder:
        world = World(Path(folder), SHORT_ROWS if short() else FULL_ROWS)
        try:
            world.start()
            race, sizes = Race(world), SHORT if short() else FULL
            keep("load", rates(race, CASES, METHODS, sizes))
            keep("load_late", rates(race, ("late",), ("sluice", "limit"), sizes))
        finally:
            with suppress(Exception):
                world.pair.stop()


if __name__ == "__main__":
    main()
