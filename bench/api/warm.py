"""Warm handlers: one process for each contender, asked in turns."""

import json
import statistics
import subprocess
import sys
from collections import defaultdict
from contextlib import ExitStack
from typing import Any

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
        _agree(processes, cases)
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


def _agree(processes: dict[str, "subprocess.Popen[str]"], cases: tuple[str, ...]) -> None:
    """See that all give the same answer, but for what each makes up: a version, a place in a list, a sentence."""
    for case in cases:
        bodies = {name: _ask(process, case, 0) for name, process in processes.items()}
        first, *others = ({key: _same(key, value) for key, value in body.items()} for body in bodies.values())
        if any(other != first for other in others):
            raise RuntimeError(f"{case}: not the same work: {bodies}")


def _same(key: str, value: Any) -> Any:
    return type(value) if key in {"version", "receipt", "next", "detail"} and value else value


def _ask(process: "subprocess.Popen[str]", case: str, times: int = TURN) -> Any:
    assert process.stdin
    assert process.stdout
    print(case, times, sep="\t", file=process.stdin, flush=True)
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"{case}: {process.args!r} ended")
    return json.loads(line)


WRITES = tuple(case for case, (function, _, _) in CASES.items() if function in ("post", "put", "delete"))
