"""One batch of a case for each method, one after the other: how long each takes."""

import gzip
import io
import statistics
import time
from collections.abc import Callable

from bench.loading.cases import Cases
from bench.loading.records import Batch
from bench.loading.sent import Ready, executemany, row_by_row
from bench.loading.stages import stages
from bench.loading.world import World
from sluice.archive import BatchObject

# A statement for each write takes its time, whatever the batch: so many are enough to know how long.
MOST_ROW_BY_ROW = 1000

Rates = dict[str, dict[str, dict[str, float]]]  # case, size, method: rows per second


class Race:
    """Each run has a batch of its own, and finds the replica level."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._cases = Cases(world)
        self._objects: dict[str, BatchObject] = {}
        self._loader = world.loader(self._objects)
        self._single = world.connect(autocommit=True)
        self._number = 0

    def rates(self, cases: tuple[str, ...], methods: tuple[str, ...], sizes: dict[int, int]) -> Rates:
        """The median rates by case and size (with its number of runs), the methods taking turns in changing order."""
        found: Rates = {case: {} for case in cases}
        for size, runs in sizes.items():
            for case in cases:
                times: dict[str, list[float]] = {method: [] for method in methods}
                for run in range(runs):
                    for place in range(len(methods)):
                        method = methods[(place + run) % len(methods)]
                        times[method].append(self.seconds(method, case, size))
                found[case][str(size)] = {one: round(1 / statistics.median(times[one])) for one in methods}
                _show(case, size, found[case][str(size)])
        return found

    def stages(self, cases: tuple[str, ...], sizes: dict[int, int]) -> Rates:
        """Milliseconds of the loader's stages (see `stages.py`), of all of it (`whole`) and until the replica has it
        after the commit (`replica`): medians by case and size.
        """
        found: Rates = {case: {} for case in cases}
        for size, runs in sizes.items():
            for case in cases:
                taken = [self._stages(case, size) for _ in range(runs)]
                names = sorted({name for one in taken for name in one})
                found[case][str(size)] = {
                    name: round(1000 * statistics.median(one.get(name, 0) for one in taken), 1) for name in names
                }
                print(f"{case:>9} {size:>7,}: milliseconds {found[case][str(size)]}", flush=True)
        return found

    def seconds(self, method: str, case: str, size: int) -> float:
        """Seconds per write of one method with a fresh batch."""
        batch = self._cases.batch(case, size)
        run = {"sluice": self._sluice, "executemany": self._many, "row_by_row": self._rows, "limit": self._limit}
        go = run[method](batch, case)
        self._world.pair.wait_for_replica(300)
        started = time.perf_counter()
        written = go()
        return (time.perf_counter() - started) / written

    def _stages(self, case: str, size: int) -> dict[str, float]:
        with stages() as taken:
            taken["whole"] = self.seconds("sluice", case, size) * size
        started = time.perf_counter()
        self._world.pair.wait_for_replica(300)
        return {**taken, "replica": time.perf_counter() - started}

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


def _show(case: str, size: int, rate: dict[str, float]) -> None:
    """Print a line: the loader's rate, and as a ratio to each other one."""
    others = ", ".join(f"{rate['sluice'] / rate[name]:.2f} x {name}" for name in rate if name != "sluice")
    print(f"{case:>9} {size:>7,}: {rate['sluice']:>8,} writes per second, {others}", flush=True)
