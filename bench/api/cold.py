"""Starts: fresh interpreters, one after the other, the contenders taking turns."""

import statistics
import subprocess
import sys
from collections import defaultdict

from bench.api.aws import serving
from bench.api.cases import CONTENDERS, FUNCTIONS, environment

Found = dict[str, float]


def starts(runs: int) -> tuple[Found, Found, Found]:
    """Medians in milliseconds, by contender and function: import as in Lambda; import and first call with AWS on
    loopback; and the import's part of the latter."""
    imports, firsts, parts = (defaultdict[str, list[float]](list) for _ in range(3))
    with serving() as url:
        # A run before writes the bytecode, which the build ships, and is not counted; one alone shows that all runs.
        for run in range(0 if runs == 1 else -1, runs):
            for function in FUNCTIONS:
                for contender in CONTENDERS:
                    name = f"{contender} {function}"
                    [imported] = _start(contender, "import", function, "")
                    part, first = _start(contender, "cold", function, url)
                    if run >= 0:
                        imports[name].append(imported)
                        parts[name].append(part)
                        firsts[name].append(first)
    return _medians(imports), _medians(firsts), _medians(parts)


def _start(contender: str, how: str, function: str, endpoint: str) -> list[float]:
    done = subprocess.run(
        [sys.executable, "-m", "bench.api.child", contender, how, function],
        env=environment(endpoint),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{contender} {function}: {done.stderr}")
    return [float(number) for number in done.stdout.splitlines()[-1].split()]


def _medians(found: dict[str, list[float]]) -> Found:
    return {name: round(statistics.median(times), 1) for name, times in sorted(found.items())}
