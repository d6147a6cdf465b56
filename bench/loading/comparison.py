"""Compare the loader with other ways to write, a batch per method in turns; and time the stages of the loader."""

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

# One statement per write takes the same time in any batch: this many are enough to measure it.
MAX_SINGLE_ROWS = 1000

Rates = dict[str, dict[str, dict[str, float]]]  # by scenario, size and method: writes per second

# The database stages of a load in their order, with the functions that they time. A thread reads the batch meanwhile.
STAGE_FUNCTIONS: dict[str, list[tuple[Any, str]]] = {
    "ledger": [(ledger, "enter_batch"), (ledger, "complete_batch")],
    "mark": [(HighWaterMark, "acquire_lock"), (HighWaterMark, "advance")],
    "load": [(fast_writer, "load_rows")],
    "merge": [(fast_writer, "merge_rows")],
    "commit": [(Connection, "commit")],
}


class LoadComparison:
    """Runs the methods. Each run has a batch of its own, and starts when the replica has caught up."""

    def __init__(self, database: BenchDatabase) -> None:
        self._database = database
        self._scenarios = ScenarioGenerator(database)
        self._objects: dict[str, BatchObject] = {}
        self._loader = database.create_loader(self._objects)
        self._autocommit_connection = database.connect(autocommit=True)
        self._batch_number = 0

    def measure_rates(self, scenarios: tuple[str, ...], methods: tuple[str, ...], sizes: dict[int, int]) -> Rates:
        """The median rates. `sizes` has the number of runs by size. The methods take turns in a changing order."""
        rates: Rates = {scenario: {} for scenario in scenarios}
        for size, runs in sizes.items():
            for scenario in scenarios:
                times: dict[str, list[float]] = {method: [] for method in methods}
                for run in range(runs):
                    for turn in range(len(methods)):
                        method = methods[(turn + run) % len(methods)]
                        times[method].append(self.measure_seconds_per_write(method, scenario, size))
                rates[scenario][str(size)] = {method: round(1 / statistics.median(times[method])) for method in methods}
                _print_rates(scenario, size, rates[scenario][str(size)])
        return rates

    def measure_stages(self, scenarios: tuple[str, ...], sizes: dict[int, int]) -> Rates:
        """Median milliseconds of each stage of a load (see `collect_stage_seconds`).

        `whole` is the whole load, and `replica` the time from its commit until the replica has it.
        """
        medians: Rates = {scenario: {} for scenario in scenarios}
        for size, runs in sizes.items():
            for scenario in scenarios:
                measured = [self._measure_stages_once(scenario, size) for _ in range(runs)]
                stages = sorted({stage for seconds in measured for stage in seconds})
                medians[scenario][str(size)] = {
                    stage: round(1000 * statistics.median(seconds.get(stage, 0) for seconds in measured), 1)
                    for stage in stages
                }
                print(f"{scenario:>9} {size:>7,}: milliseconds {medians[scenario][str(size)]}", flush=True)
        return medians

    def measure_seconds_per_write(self, method: str, scenario: str, size: int) -> float:
        """Seconds per write of one method with a new batch."""
        batch = self._scenarios.build_batch(scenario, size)
        prepare = {
            "sluice": self._prepare_sluice,
            "executemany": self._prepare_executemany,
            "row_by_row": self._prepare_row_by_row,
            "limit": self._prepare_load_data,
        }
        write = prepare[method](batch, scenario)
        self._database.servers.wait_for_replicas(300)
        started = time.perf_counter()
        count = write()
        return (time.perf_counter() - started) / count

    def _measure_stages_once(self, scenario: str, size: int) -> dict[str, float]:
        with collect_stage_seconds() as seconds:
            seconds["whole"] = self.measure_seconds_per_write("sluice", scenario, size) * size
        started = time.perf_counter()
        self._database.servers.wait_for_replicas(300)
        return {**seconds, "replica": time.perf_counter() - started}

    def _prepare_sluice(self, batch: WriteBatch, scenario: str) -> Callable[[], int]:
        self._batch_number += 1
        key, content, size = f"batches/{self._batch_number}", batch.content, len(batch.writes)
        self._objects[key] = BatchObject(key, "etag", io.BytesIO(content))

        def write() -> int:
            outcome = self._loader.load_batch("bucket", key)
            assert (outcome.status, outcome.applied + outcome.stale) == ("loaded", size), outcome
            assert (outcome.applied == 0) == (scenario == "stale"), outcome
            return size

        return write

    def _prepare_executemany(self, batch: WriteBatch, _scenario: str) -> Callable[[], int]:
        content, size = batch.content, len(batch.writes)

        def write() -> int:
            write_with_executemany(self._database.connection, gzip.decompress(content))
            return size

        return write

    def _prepare_row_by_row(self, batch: WriteBatch, _scenario: str) -> Callable[[], int]:
        return lambda: write_row_by_row(self._autocommit_connection, batch, MAX_SINGLE_ROWS)

    def _prepare_load_data(self, batch: WriteBatch, scenario: str) -> Callable[[], int]:
        file, size = PreparedFile(batch.writes, self._database.folder / "prepared"), len(batch.writes)

        def write() -> int:
            file.load(self._database.connection, "IGNORE" if scenario == "stale" else "REPLACE")
            return size

        return write


def _print_rates(scenario: str, size: int, rates: dict[str, float]) -> None:
    """Print the rate of the loader, and its ratio to each other method."""
    ratios = ", ".join(f"{rates['sluice'] / rates[name]:.2f} x {name}" for name in rates if name != "sluice")
    print(f"{scenario:>9} {size:>7,}: {rates['sluice']:>8,} writes per second, {ratios}", flush=True)


@contextmanager
def collect_stage_seconds() -> Iterator[dict[str, float]]:
    """Collect the seconds of each stage while loads run.

    `reading` is the time of the reader's thread, `waiting` the time in which the loader waits for it.
    """
    seconds: dict[str, float] = defaultdict(float)
    with ExitStack() as stack:
        for name, functions in STAGE_FUNCTIONS.items():
            for owner, attribute in functions:
                timed = _time_calls(getattr(owner, attribute), name, seconds)
                stack.enter_context(patch.object(owner, attribute, timed))
        read_parts, apply_fast = FastReader.read_parts, batch_pass.apply_fast

        def read_timed(reader: FastReader, batch: Any) -> Iterator[Any]:
            return _time_items(read_parts(reader, batch), "reading", seconds)

        def apply_timed(writer: Any, parts: Any, *arguments: Any, **options: Any) -> Any:
            return apply_fast(writer, _time_items(parts, "waiting", seconds), *arguments, **options)

        stack.enter_context(patch.object(FastReader, "read_parts", read_timed))
        stack.enter_context(patch.object(batch_pass, "apply_fast", apply_timed))
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
    read_next = _time_calls(lambda: next(items, None), name, seconds)
    while (item := read_next()) is not None:
        yield item
