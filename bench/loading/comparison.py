"""Compare the loader with other ways to write: one batch per method in turns; and time the stages of the loader."""

import gzip
import io
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from bench.loading.baselines import PreparedFile, write_row_by_row, write_with_executemany
from bench.loading.batches import WriteBatch
from bench.loading.database import BenchDatabase
from bench.loading.scenarios import ScenarioGenerator
from sluice.db.connection import Connection
from sluice.load import batch_pass, ledger
from sluice.load.batch_reader import BatchObject
from sluice.load.fast import fast_writer
from sluice.load.fast.fast_reader import FastReader
from sluice.load.high_water_mark import HighWaterMark

# A statement for each write takes its time, whatever the batch: so many are enough to know how long.
MAX_SINGLE_ROWS = 1000


Rates = dict[str, dict[str, dict[str, float]]]  # case, size, method: rows per second


class LoadComparison:
    """Each run has a batch of its own, and finds the replica level."""

    def __init__(self, world: BenchDatabase) -> None:
        self._world = world
        self._cases = ScenarioGenerator(world)
        self._objects: dict[str, BatchObject] = {}
        self._loader = world.create_loader(self._objects)
        self._single = world.connect(autocommit=True)
        self._number = 0

    def measure_rates(self, cases: tuple[str, ...], methods: tuple[str, ...], sizes: dict[int, int]) -> Rates:
        """The median rates by case and size (with its number of runs), the methods taking turns in changing order."""
        found: Rates = {case: {} for case in cases}
        for size, runs in sizes.items():
            for case in cases:
                times: dict[str, list[float]] = {method: [] for method in methods}
                for run in range(runs):
                    for place in range(len(methods)):
                        method = methods[(place + run) % len(methods)]
                        times[method].append(self.measure_seconds_per_write(method, case, size))
                found[case][str(size)] = {one: round(1 / statistics.median(times[one])) for one in methods}
                _print_rate(case, size, found[case][str(size)])
        return found

    def measure_stages(self, cases: tuple[str, ...], sizes: dict[int, int]) -> Rates:
        """Milliseconds of the loader's stages (see `stages.py`), of all of it (`whole`) and until the replica has it
        after the commit (`replica`): medians by case and size.
        """
        found: Rates = {case: {} for case in cases}
        for size, runs in sizes.items():
            for case in cases:
                taken = [self._measure_stages_once(case, size) for _ in range(runs)]
                names = sorted({name for one in taken for name in one})
                found[case][str(size)] = {
                    name: round(1000 * statistics.median(one.get(name, 0) for one in taken), 1) for name in names
                }
                print(f"{case:>9} {size:>7,}: milliseconds {found[case][str(size)]}", flush=True)
        return found

    def measure_seconds_per_write(self, method: str, case: str, size: int) -> float:
        """Seconds per write of one method with a fresh batch."""
        batch = self._cases.build_batch(case, size)
        run = {
            "sluice": self._prepare_sluice,
            "executemany": self._prepare_executemany,
            "row_by_row": self._prepare_row_by_row,
            "limit": self._prepare_load_data,
        }
        go = run[method](batch, case)
        self._world.pair.wait_for_replica(300)
        started = time.perf_counter()
        written = go()
        return (time.perf_counter() - started) / written

    def _measure_stages_once(self, case: str, size: int) -> dict[str, float]:
        with collect_stage_seconds() as taken:
            taken["whole"] = self.measure_seconds_per_write("sluice", case, size) * size
        started = time.perf_counter()
        self._world.pair.wait_for_replica(300)
        return {**taken, "replica": time.perf_counter() - started}

    def _prepare_sluice(self, batch: WriteBatch, case: str) -> Callable[[], int]:
        self._number += 1
        key, content, size = f"batches/{self._number}", batch.content, len(batch.writes)
        self._objects[key] = BatchObject(key, "etag", io.BytesIO(content))

        def go() -> int:
            outcome = self._loader.load_batch("bucket", key)
            assert (outcome.status, outcome.applied + outcome.stale) == ("loaded", size), outcome
            assert (outcome.applied == 0) == (case == "stale"), outcome
            return size

        return go

    def _prepare_executemany(self, batch: WriteBatch, _case: str) -> Callable[[], int]:
        content, size = batch.content, len(batch.writes)

        def go() -> int:
            write_with_executemany(self._world.connection, gzip.decompress(content))
            return size

        return go

    def _prepare_row_by_row(self, batch: WriteBatch, _case: str) -> Callable[[], int]:
        return lambda: write_row_by_row(self._single, batch, MAX_SINGLE_ROWS)

    def _prepare_load_data(self, batch: WriteBatch, case: str) -> Callable[[], int]:
        ready, size = PreparedFile(batch.writes, self._world.folder / "ready"), len(batch.writes)

        def go() -> int:
            ready.load(self._world.connection, "IGNORE" if case == "stale" else "REPLACE")
            return size

        return go


def _print_rate(case: str, size: int, rate: dict[str, float]) -> None:
    """Print a line: the loader's rate, and as a ratio to each other one."""
    others = ", ".join(f"{rate['sluice'] / rate[name]:.2f} x {name}" for name in rate if name != "sluice")
    print(f"{case:>9} {size:>7,}: {rate['sluice']:>8,} writes per second, {others}", flush=True)


# What the database is asked for, in the order of a load. Reading goes on beside them, in a thread.
STAGE_FUNCTIONS: dict[str, list[tuple[Any, str]]] = {
    "ledger": [(ledger, "enter_batch"), (ledger, "complete_batch")],
    "mark": [(HighWaterMark, "acquire_lock"), (HighWaterMark, "advance")],
    "load": [(fast_writer, "load_rows")],
    "merge": [(fast_writer, "merge_rows")],
    "commit": [(Connection, "commit")],
}


@contextmanager
def collect_stage_seconds() -> Iterator[dict[str, float]]:
    """Collect seconds by stage while loads run: the steps, `reading` (the thread), and `waiting` for what it reads."""
    seconds: dict[str, float] = defaultdict(float)
    with ExitStack() as stack:
        for name, places in STAGE_FUNCTIONS.items():
            for owner, attribute in places:
                timed = _time_calls(getattr(owner, attribute), name, seconds)
                stack.enter_context(patch.object(owner, attribute, timed))
        parts, plain = FastReader.read_parts, batch_pass.apply_fast

        def read(reader: FastReader, batch: Any) -> Iterator[Any]:
            return _time_items(parts(reader, batch), "reading", seconds)

        def applied(writer: Any, parts: Any, *arguments: Any, **mode: Any) -> Any:
            return plain(writer, _time_items(parts, "waiting", seconds), *arguments, **mode)

        stack.enter_context(patch.object(FastReader, "read_parts", read))
        stack.enter_context(patch.object(batch_pass, "apply_fast", applied))
        yield seconds


def _time_calls(function: Callable[..., Any], name: str, seconds: dict[str, float]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        started = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            seconds[name] += time.perf_counter() - started

    return call


def _time_items(items: Iterator[Any], name: str, seconds: dict[str, float]) -> Iterator[Any]:
    step = _time_calls(lambda: next(items, None), name, seconds)
    while (item := step()) is not None:
        yield item
