"""Time the contenders: cold starts in fresh processes, and warm calls in turns."""

import json
import statistics
import subprocess
import sys
from collections import defaultdict
from contextlib import ExitStack
from typing import Any

from bench.api.aws_stub import serve_aws_stub
from bench.api.cases import CASES, CONTENDERS, FUNCTIONS, build_environment

Medians = dict[str, float]


def measure_cold_starts(runs: int) -> tuple[Medians, Medians, Medians]:
    """Medians in milliseconds, by contender and function: import as in Lambda; import and first call with AWS on
    loopback; and the import's part of the latter."""
    imports, firsts, parts = (defaultdict[str, list[float]](list) for _ in range(3))
    with serve_aws_stub() as url:
        # A run before writes the bytecode, which the build ships, and is not counted; one alone shows that all runs.
        for run in range(0 if runs == 1 else -1, runs):
            for function in FUNCTIONS:
                for contender in CONTENDERS:
                    name = f"{contender} {function}"
                    [imported] = _run_contender(contender, "import", function, "")
                    part, first = _run_contender(contender, "cold", function, url)
                    if run >= 0:
                        imports[name].append(imported)
                        parts[name].append(part)
                        firsts[name].append(first)
    return _compute_medians(imports), _compute_medians(firsts), _compute_medians(parts)


def _run_contender(contender: str, how: str, function: str, endpoint: str) -> list[float]:
    done = subprocess.run(
        [sys.executable, "-m", "bench.api.child", contender, how, function],
        env=build_environment(endpoint),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{contender} {function}: {done.stderr}")
    return [float(number) for number in done.stdout.splitlines()[-1].split()]


def _compute_medians(found: dict[str, list[float]]) -> Medians:
    return {name: round(statistics.median(times), 1) for name, times in sorted(found.items())}


CALLS_PER_TURN = 100  # calls at a time


def measure_warm_calls(turns: int, standin: str, cases: tuple[str, ...]) -> dict[str, float]:
    """Median microseconds from event to answer, by contender and case, with a stand-in for the stream.

    Without traces: Powertools' cost more than ours, and are the same in both of the others.
    """
    found: dict[str, list[int]] = defaultdict(list)
    with serve_aws_stub() as url, ExitStack() as stack:
        processes = {name: stack.enter_context(_start_process(name, standin, url)) for name in CONTENDERS}
        _check_same_answers(processes, cases)
        for turn in range(turns + 1):
            for case in cases:
                for contender, process in processes.items():
                    taken = _run_case(process, case)
                    if turn:  # the first one warms
                        found[f"{contender} {case}"].extend(taken)
        for process in processes.values():
            process.communicate()
    return {name: round(statistics.median(taken) / 1000, 1) for name, taken in sorted(found.items())}


def _start_process(contender: str, standin: str, url: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "bench.api.child", contender, "warm", standin],
        env=build_environment(url, POWERTOOLS_TRACE_DISABLED="1"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _check_same_answers(processes: dict[str, "subprocess.Popen[str]"], cases: tuple[str, ...]) -> None:
    """See that all give the same answer, but for what each makes up: a version, a place in a list, a sentence."""
    for case in cases:
        bodies = {name: _run_case(process, case, 0) for name, process in processes.items()}
        first, *others = (
            {key: _normalize_value(key, value) for key, value in body.items()} for body in bodies.values()
        )
        if any(other != first for other in others):
            raise RuntimeError(f"{case}: not the same work: {bodies}")


def _normalize_value(key: str, value: Any) -> Any:
    return type(value) if key in {"version", "receipt", "next", "detail"} and value else value


def _run_case(process: "subprocess.Popen[str]", case: str, times: int = CALLS_PER_TURN) -> Any:
    assert process.stdin
    assert process.stdout
    print(case, times, sep="\t", file=process.stdin, flush=True)
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"{case}: {process.args!r} ended")
    return json.loads(line)


WRITE_CASES = tuple(case for case, (function, _, _) in CASES.items() if function in ("post", "put", "delete"))
