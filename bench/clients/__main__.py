"""`python -m bench.clients`: what each way to call AWS costs: package, cold import, first call, warm call.

Every process is fresh, the contenders take turns, and bytecode is compiled. The import is with AWS's own endpoint, so
with the authorities for TLS where a contender loads them then; the calls go to loopback without TLS.
"""

import io
import statistics
import subprocess
import sys
import zipfile
from collections import defaultdict
from importlib.metadata import distribution
from pathlib import Path

from bench.api.cases import build_environment
from bench.clients.contenders import CONTENDERS
from bench.results import is_short, save_results
from testkit.aws_stub import serve_aws_stub

RUNS, SHORT_RUNS = 21, 1
COLUMNS = ("import_ms", "import_and_first_call_ms", "warm_us", "unzipped_kb", "zipped_kb")

Figures = dict[str, float]  # by column


def main() -> None:
    figures = {name: {**times, **measure_size(CONTENDERS[name][1])} for name, times in measure_times().items()}
    print(f"{'':20}", *(f"{column:>26}" for column in COLUMNS))
    for name, row in figures.items():
        cells = (f"{row[column]:15.1f}{row[column] / (figures['sluice'][column] or 1):9.2f} x" for column in COLUMNS)
        print(f"{name:20}", *cells)
    save_results("clients", figures)


def measure_times() -> dict[str, Figures]:
    """Medians of fresh processes, by contender."""
    times: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with serve_aws_stub() as url:
        # The first run writes the bytecode. It does not count, unless it is the only one.
        runs = SHORT_RUNS if is_short() else RUNS
        for run in range(0 if runs == 1 else -1, runs):
            for name in CONTENDERS:
                [import_ms] = run_child(name, "")
                first_call_ms, warm_us = run_child(name, url)
                if run >= 0:
                    for column, value in zip(COLUMNS, (import_ms, first_call_ms, warm_us), strict=False):
                        times[name][column].append(value)
    return {
        name: {column: round(statistics.median(values), 1) for column, values in columns.items()}
        for name, columns in times.items()
    }


def run_child(contender: str, endpoint: str) -> list[float]:
    """Run the process of a contender, and return what it prints."""
    process = subprocess.run(
        [sys.executable, "-m", "bench.clients.child", contender],
        env=build_environment(endpoint),
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode:
        raise RuntimeError(f"{contender}: {process.stderr}")
    return [float(number) for number in process.stdout.split()]


def measure_size(distributions: tuple[str, ...]) -> Figures:
    """Kilobytes of the files that a package needs, without bytecode."""
    files = [
        path
        for name in distributions
        for path in distribution(name).files or ()
        if path.suffix != ".pyc" and path.parts[0] != ".."
    ]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            archive.write(str(path.locate()), str(path))
    unzipped = sum(Path(str(path.locate())).stat().st_size for path in files)
    zipped = len(buffer.getvalue()) if files else 0
    return {"unzipped_kb": round(unzipped / 1000), "zipped_kb": round(zipped / 1000)}


if __name__ == "__main__":
    main()
