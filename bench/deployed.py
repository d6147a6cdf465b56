"""`make bench`: benchmarks on a local stack of their own: replays, and cold starts of the deployed package.

A cold start is measured with the package as it ships, bytecode included, in one fresh process after the other. It
imports the handler of POST, which makes its Firehose client.
"""

import os
import re
import statistics
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from bench import create_folder, replay
from bench.results import is_short, save_results
from local.process import LocalError
from local.stack import Stack, down, up
from testkit.lambda_environment import build_lambda_environment

RUNS, SHORT_RUNS = 21, 3
IMPORT_PROGRAM = (
    "import time; t = time.perf_counter(); import sluice.handlers.post; print((time.perf_counter() - t) * 1000)"
)
MAX_SHOWN_PACKAGES = 8


def measure_cold_start(stack: Stack) -> None:
    """Measure cold starts, print the figures and save them."""
    code = find_code_folder(stack)
    run_fresh_process(code)  # not counted: it brings the files into the page cache
    times = [float(run_fresh_process(code).stdout) for _ in range(SHORT_RUNS if is_short() else RUNS)]
    median, imports = statistics.median(times), measure_imports(code)
    print(f"POST handler with its Firehose client, {len(times)} fresh processes: median {median:.0f} ms", end="")
    print(f" ({min(times):.0f} to {max(times):.0f})")
    for name, milliseconds in imports[:MAX_SHOWN_PACKAGES]:
        print(f"  {milliseconds:6.1f} ms  import of {name}")
    print("The import of sluice includes making the client. Timing the imports adds a little to each.")
    figures = {"median_ms": round(median), "least_ms": round(min(times)), "most_ms": round(max(times))}
    save_results("cold_start", {"post": figures})


def find_code_folder(stack: Stack) -> Path:
    """The folder of the code that the stack's functions share."""
    [handler] = stack.folder.build.glob("*/sluice/handlers/post.py")
    return handler.parents[2]


def run_fresh_process(code: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the import in a process that has only the package and the environment of a function."""
    # Powertools traces only inside Lambda. With this variable it does, so that the cost of X-Ray counts.
    environment = build_lambda_environment(PATH=os.environ["PATH"], LAMBDA_TASK_ROOT=str(code))
    program = f"import sys; sys.path.insert(0, {str(code)!r}); {IMPORT_PROGRAM}"
    command = [sys.executable, "-I", *options, "-c", program]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True)


def measure_imports(code: Path) -> list[tuple[str, float]]:
    """Milliseconds of import by top-level package, largest first, without what the package itself imports."""
    sums: dict[str, float] = {}
    log = run_fresh_process(code, "-X", "importtime").stderr
    for microseconds, name in re.findall(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)", log):
        package = name.split(".")[0]
        is_shipped = (code / package).exists() or (code / f"{package}.py").exists()
        group = package if is_shipped else "Python's own library"
        sums[group] = sums.get(group, 0) + int(microseconds) / 1000
    return sorted(sums.items(), key=lambda entry: -entry[1])


def main() -> None:
    with create_folder() as folder:
        try:
            stack = up(folder / "stack")
            measure_cold_start(stack)
            replay.measure_replays(stack, folder)
        finally:
            with suppress(LocalError):
                down(folder / "stack")


if __name__ == "__main__":
    main()
