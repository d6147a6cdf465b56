"""Warm handlers: one process for each contender, asked in turns."""

import json
import statistics
import subprocess
import sys
from collections import defaultdict
from contextlib import ExitStack

from bench.api.aws import serving
from bench.api.cases import CASES, CONTENDERS, environment

TURN = 100  # calls at a time


def times(turns: int, standin: str, cases: tuple[str, ...]) -> dict[str, float]:
    """Median microseconds from event to answer, by contender and case, with a stand-in for the stream.

    Without traces: Powertools' cost more than ours, and are the same in both of the others.
    """
    found: dict[str, list[int]] = defaultdict(list)
    with serving() as url, ExitStack() as stack:
        processes = {name: stack.enter_context(_process(name, standin, url)) for name in CONTENDERS}
        for turn in range(turns + 1):
            for case in cases:
                for contender, process in processes.items():
                    taken = _ask(process, case)
                    if turn:  # the first one warms
                        found[f"{contender} {case}"].extend(taken)
        for process in processes.values():
            process.communicate()
    return {name: round(statistics.median(taken) / 1000, 1) for name, taken in sorted(found.items())}


def _process(contender: str, standin: str, url: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "bench.api.child", contender, "warm", standin],
        env=environment(url, POWERTOOLS_TRACE_DISABLED="1"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _ask(process: "subprocess.Popen[str]", case: str) -> list[int]:
    assert process.stdin
    assert process.stdout
    print(case, TURN, sep="\t", file=process.stdin, flush=True)
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"{case}: {process.args!r} ended")
    taken: list[int] = json.loads(line)
    return taken


WRITES = tuple(case for case, (function, _, _) in CASES.items() if function in ("post", "put", "delete"))
