"""Benchmarks on a deployed local stack: replays, and cold starts of the deployed package."""

import os
import re
import statistics
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from bench import replay
from bench.results import is_short, save_results
from local.process import LocalError
from local.stack import Stack, down, up
from testkit.lambda_environment import build_lambda_environment

RUNS, SHORT_RUNS = 21, 3


IMPORT_PROGRAM = (
    "import time; t = time.perf_counter(); import sluice.handlers.post; print((time.perf_counter() - t) * 1000)"
)


MAX_SHOWN_PACKAGES = 8


def find_code_folder(stack: Stack) -> Path:
    """The code folder that the stack's functions share."""
    [found] = stack.folder.build.glob("*/sluice/handlers/post.py")
    return found.parents[2]


def run_fresh_process(code: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the measurement in a process that has nothing but the package and a function's environment."""
    # Powertools traces only inside Lambda: make it believe so, that X-Ray's cost is counted.
    settings = build_lambda_environment(PATH=os.environ["PATH"], LAMBDA_TASK_ROOT=str(code))
    command = [sys.executable, "-I", *options, "-c", f"import sys; sys.path.insert(0, {str(code)!r}); {IMPORT_PROGRAM}"]
    return subprocess.run(command, env=settings, capture_output=True, text=True, check=True)


def measure_imports(code: Path) -> list[tuple[str, float]]:
    """Milliseconds of import by top-level package, largest first; what a package imports counts for the imported."""
    sums: dict[str, float] = {}
    for own, name in re.findall(
        r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)", run_fresh_process(code, "-X", "importtime").stderr
    ):
        top = name.split(".")[0]
        group = top if (code / top).exists() or (code / f"{top}.py").exists() else "Python's own library"
        sums[group] = sums.get(group, 0) + int(own) / 1000
    return sorted(sums.items(), key=lambda entry: -entry[1])


def measure_cold_start(stack: Stack) -> None:
    """Measure, print and keep."""
    code = find_code_folder(stack)
    run_fresh_process(code)  # so that the files are in the page cache for every counted run
    times = [float(run_fresh_process(code).stdout) for _ in range(SHORT_RUNS if is_short() else RUNS)]
    median, imports = statistics.median(times), measure_imports(code)
    print(f"POST handler with its Firehose client, {len(times)} fresh processes: median {median:.0f} ms", end="")
    print(f" ({min(times):.0f} to {max(times):.0f})")
    for name, milliseconds in imports[:MAX_SHOWN_PACKAGES]:
        print(f"  {milliseconds:6.1f} ms  import of {name}")
    print("The import of sluice includes making the client; timing every import adds some to each.")
    save_results(
        "cold_start",
        {"post": {"median_ms": round(median), "least_ms": round(min(times)), "most_ms": round(max(times))}},
    )


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as name:
        folder = Path(name)
        try:
            stack = up(folder / "stack")
            measure_cold_start(stack)
            replay.measure_replays(stack, folder)
        finally:
            with suppress(LocalError):
                down(folder / "stack")


if __name__ == "__main__":
    main()
