"""A fresh process imports the POST handler, which makes its Firehose client; and what takes the time.

Measured is the package as it ships, bytecode included, in processes of their own, one after the other.
"""

import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

from bench.lambdas import environment
from bench.results import keep, short
from local.stack import Stack

RUNS, SHORT = 21, 3
MEASURE = "import time; t = time.perf_counter(); import sluice.handlers.post; print((time.perf_counter() - t) * 1000)"
SHOWN = 8


def package(stack: Stack) -> Path:
    """The code folder that the stack's functions share."""
    [found] = stack.folder.build.glob("*/sluice/handlers/post.py")
    return found.parents[2]


def fresh(code: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the measurement in a process that has nothing but the package and a function's environment."""
    # Powertools traces only inside Lambda: make it believe so, that X-Ray's cost is counted.
    settings = environment(PATH=os.environ["PATH"], LAMBDA_TASK_ROOT=str(code))
    command = [sys.executable, "-I", *options, "-c", f"import sys; sys.path.insert(0, {str(code)!r}); {MEASURE}"]
    return subprocess.run(command, env=settings, capture_output=True, text=True, check=True)


def by_package(code: Path) -> list[tuple[str, float]]:
    """Milliseconds of import by top-level package, largest first; what a package imports counts for the imported."""
    sums: dict[str, float] = {}
    for own, name in re.findall(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)", fresh(code, "-X", "importtime").stderr):
        top = name.split(".")[0]
        group = top if (code / top).exists() or (code / f"{top}.py").exists() else "Python's own library"
        sums[group] = sums.get(group, 0) + int(own) / 1000
    return sorted(sums.items(), key=lambda entry: -entry[1])


def measure(stack: Stack) -> None:
    """Measure, print and keep."""
    code = package(stack)
    fresh(code)  # so that the files are in the page cache for every counted run
    times = [float(fresh(code).stdout) for _ in range(SHORT if short() else RUNS)]
    median, imports = statistics.median(times), by_package(code)
    print(f"POST handler with its Firehose client, {len(times)} fresh processes: median {median:.0f} ms", end="")
    print(f" ({min(times):.0f} to {max(times):.0f})")
    for name, milliseconds in imports[:SHOWN]:
        print(f"  {milliseconds:6.1f} ms  import of {name}")
    print("The import of sluice includes making the client; timing every import adds some to each.")
    keep(
        "cold_start",
        {"post": {"median_ms": round(median), "least_ms": round(min(times)), "most_ms": round(max(times))}},
    )
