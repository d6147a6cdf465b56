"""`make bench`: the reads that 1, 2 and 3 replicas answer together. `--against COMMIT` adds the cost of one warm read.

    python -m bench.replicas [--against COMMIT]

The handler of the reading function runs in processes of its own and reads real replicas over TLS. Readers and
replicas share the processors of this machine, so they are measured twice: without a limit, where the readers need most
of the processors and more replicas cannot help; and with each replica limited to a small share of one processor, where
the replicas limit the reads, as they do when reading functions scale and instances do not.
"""

import argparse
import statistics
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from io import BytesIO
from pathlib import Path
from typing import Any

from bench import create_folder
from bench.api.cases import ROOT
from bench.loading.database import BenchDatabase
from bench.replicas.plot import plot_rates
from bench.replicas.processor_limit import limit_processor
from bench.replicas.reading import ReadBench, Readers, Turn
from bench.results import is_short, save_results

ROWS, SHORT_ROWS = 100_000, 50_000
REPLICAS = (1, 2, 3)
READERS = 12
SECONDS, SHORT_SECONDS = 4.0, 0.5
ROUNDS, SHORT_ROUNDS = 9, 1
# Three such replicas need little of the processors, so the readers get what they need.
SHARE = 0.02
WARM_READS = 20
COST_READS, COST_ROUNDS, SHORT_COST_ROUNDS = 250, 80, 3

Figures = dict[str, Any]


def measure_rates(bench: ReadBench, *, is_limited: bool) -> dict[str, Figures]:
    """Figures by number of replicas. Each round lets the readers of each number read for the same time, in turns.

    `ratio` compares the reads of a round with those of one replica in the same round: least, median and greatest.
    """
    seconds = SHORT_SECONDS if is_short() else SECONDS
    turns: dict[int, list[Turn]] = {number: [] for number in REPLICAS}
    with ExitStack() as stack:
        readers = {number: stack.enter_context(bench.start_readers(READERS, range(number))) for number in REPLICAS}
        for each in readers.values():
            each.read("count", WARM_READS)
        pids = [server.pid or 0 for server in bench.database.servers.replicas]
        with limit_processor(pids, SHARE) if is_limited else nullcontext():
            for round_number in range(SHORT_ROUNDS if is_short() else ROUNDS):
                for number in _rotate(REPLICAS, round_number):
                    turns[number].append(readers[number].read("seconds", seconds))
    return {str(number): _summarize(turns[number], turns[1], seconds) for number in REPLICAS}


def _rotate(names: Sequence[Any], by: int) -> Sequence[Any]:
    by %= len(names)
    return [*names[by:], *names[:by]]


def _summarize(turns: Sequence[Turn], others: Sequence[Turn], seconds: float) -> Figures:
    rates = [len(turn.us) / seconds for turn in turns]
    ratios = sorted(len(turn.us) / len(other.us) for turn, other in zip(turns, others, strict=True))
    times = sorted(time for turn in turns for time in turn.us)
    work = [sum(each) for each in zip(*(turn.replica_us for turn in turns), strict=True)]
    return {
        "reads_per_second": round(statistics.median(rates)),
        "rates": [round(rate) for rate in rates],
        "ratio": [round(ratio, 2) for ratio in (ratios[0], statistics.median(ratios), ratios[-1])],
        "median_ms": round(statistics.median(times) / 1000, 1),
        "p99_ms": round(times[int(0.99 * len(times))] / 1000, 1),
        "reader_us": round(statistics.median(turn.reader_us for turn in turns)),
        "replica_us": round(sum(work) / len(times)),
        "shares": [round(each / sum(work), 2) for each in work],
    }


def measure_cost(bench: ReadBench, source: Path) -> dict[str, Figures]:
    """Microseconds of a warm read with the code in `source` and with this one, which reads one to three replicas.

    `us` is the time that a read takes, and `processor_us` what it takes of the reader's and the replicas' processors,
    which depends less on what else the machine does.
    `same server twice` has two replicas that are one server: it shows what the choice costs, without the second server.

    One process each. They take turns, and a ratio compares the medians of the same round.
    """
    own, first, second, third = ROOT / "src", 0, 1, 2
    contenders = {
        "before": (source, (first,)),
        "one replica": (own, (first,)),
        "same server twice": (own, (first, first)),
        "two replicas": (own, (first, second)),
        "three replicas": (own, (first, second, third)),
    }
    medians: dict[str, list[float]] = {name: [] for name in contenders}
    readers_us: dict[str, list[float]] = {name: [] for name in contenders}
    processors: dict[str, list[float]] = {name: [] for name in contenders}
    with ExitStack() as stack:
        readers: dict[str, Readers] = {
            name: stack.enter_context(bench.start_readers(1, replicas, folder))
            for name, (folder, replicas) in contenders.items()
        }
        for each in readers.values():
            each.read("count", 4 * COST_READS)
        for round_number in range(SHORT_COST_ROUNDS if is_short() else COST_ROUNDS):
            for name in _rotate(list(contenders), round_number):
                turn = readers[name].read("count", COST_READS)
                medians[name].append(statistics.median(turn.us))
                readers_us[name].append(turn.reader_us)
                processors[name].append(turn.reader_us + sum(turn.replica_us) / len(turn.us))
    return {
        name: {
            "us": round(statistics.median(medians[name])),
            "ratio": _compare(medians[name], medians["before"]),
            "reader_us": round(statistics.median(readers_us[name])),
            "processor_us": round(statistics.median(processors[name])),
            "processor_ratio": _compare(processors[name], processors["before"]),
        }
        for name in contenders
    }


def _compare(values: Sequence[float], others: Sequence[float]) -> list[float]:
    """The ratios of the rounds: their first quartile, median and third quartile."""
    ratios = [value / other for value, other in zip(values, others, strict=True)]
    return [round(ratio, 3) for ratio in statistics.quantiles(ratios, n=4)]


@contextmanager
def check_out_source(commit: str) -> Iterator[Path]:
    """The folder `src` of a commit, in a temporary folder. Raises CalledProcessError if git does not have it."""
    archive = subprocess.run(["git", "archive", commit, "src"], cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
    with tempfile.TemporaryDirectory(prefix="sluice-source-") as folder:
        with tarfile.open(fileobj=BytesIO(archive)) as files:
            files.extractall(folder, filter="data")
        yield Path(folder) / "src"


def print_rates(title: str, figures: dict[str, Figures]) -> None:
    print(f"{title}, {READERS} readers", flush=True)
    for number, each in figures.items():
        least, median, greatest = each["ratio"]
        shares = " ".join(f"{100 * share:.0f}%" for share in each["shares"][: int(number)])
        print(
            f"  {number} replicas: {each['reads_per_second']:>6,} reads a second, {median:.2f} x ({least:.2f} to"
            f" {greatest:.2f}); median {each['median_ms']} ms, p99 {each['p99_ms']} ms; a read takes"
            f" {each['reader_us']} us of a reader and {each['replica_us']} us of a replica; shares {shares}",
            flush=True,
        )


def print_cost(commit: str, figures: dict[str, Figures]) -> None:
    print(f"a warm read with one reader, compared with {commit}: median (quartiles)")
    for name, each in figures.items():
        ratios = [
            f"{median:.3f} x ({first:.3f} to {third:.3f})"
            for first, median, third in (each["ratio"], each["processor_ratio"])
        ]
        print(
            f"  {name:<18} {each['us']:>5} us, {ratios[0]}; {each['processor_us']:>5} us of processors, of which the"
            f" reader's {each['reader_us']:>5}, {ratios[1]}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.replicas")
    parser.add_argument("--against", metavar="COMMIT", help="also compare a warm read with that of a commit")
    parser.add_argument("--only-cost", action="store_true", help="with --against: measure nothing else")
    arguments = parser.parse_args()
    with create_folder() as folder:
        rows = SHORT_ROWS if is_short() else ROWS
        database = BenchDatabase(folder, rows, buffer_pool_mb=256, replicas=max(REPLICAS))
        try:
            database.start()
            bench = ReadBench(database)
            bench.prepare()
            if not arguments.only_cost:
                _run_rates(bench)
            if arguments.against:
                with check_out_source(arguments.against) as source:
                    cost = measure_cost(bench, source)
                print_cost(arguments.against, cost)
                save_results("replicas_cost", {"against": arguments.against, **cost})
        finally:
            with suppress(Exception):
                database.servers.stop()


def _run_rates(bench: ReadBench) -> None:
    rates = {}
    for is_limited, title in ((False, "no limit"), (True, f"each replica with {SHARE:.0%} of a processor")):
        rates[title] = measure_rates(bench, is_limited=is_limited)
        print_rates(title, rates[title])
    save_results("replicas", rates)
    if not is_short():
        plot_rates(rates)


if __name__ == "__main__":
    main()
