"""Time the contenders: cold starts in fresh processes, and warm calls in turns."""

import json
import statistics
import subprocess
import sys
from collections import defaultdict
from contextlib import ExitStack
from typing import Any

from bench.api.cases import CASES, CONTENDERS, FUNCTIONS, build_environment
from testkit.aws_stub import serve_aws_stub

CALLS_PER_TURN = 100
WRITE_CASES = tuple(case for case, (function, _, _) in CASES.items() if function in {"post", "put", "delete"})

Medians = dict[str, float]  # by contender and case, or by contender and function


def measure_cold_starts(runs: int) -> tuple[Medians, Medians, Medians]:
    """Median milliseconds of cold starts, with AWS on loopback.

    Returns those of the import alone as in Lambda, of the import with the first call, and of the import in the latter.
    """
    imports, first_calls, first_imports = (defaultdict[str, list[float]](list) for _ in range(3))
    with serve_aws_stub() as url:
        # The first run writes the bytecode, which the build ships. It does not count, unless it is the only one.
        for run in range(0 if runs == 1 else -1, runs):
            for function in FUNCTIONS:
                for contender in CONTENDERS:
                    name = f"{contender} {function}"
                    [import_ms] = _run_contender(contender, "import", function, "")
                    first_import_ms, first_call_ms = _run_contender(contender, "cold", function, url)
                    if run >= 0:
                        imports[name].append(import_ms)
                        first_imports[name].append(first_import_ms)
                        first_calls[name].append(first_call_ms)
    return _compute_medians(imports), _compute_medians(first_calls), _compute_medians(first_imports)


def _run_contender(contender: str, mode: str, function: str, endpoint: str) -> list[float]:
    process = subprocess.run(
        [sys.executable, "-m", "bench.api.child", contender, mode, function],
        env=build_environment(endpoint),
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode:
        raise RuntimeError(f"{contender} {function}: {process.stderr}")
    return [float(number) for number in process.stdout.splitlines()[-1].split()]


def _compute_medians(times: dict[str, list[float]]) -> Medians:
    return {name: round(statistics.median(values), 1) for name, values in sorted(times.items())}


def measure_warm_calls(turns: int, stub: str, cases: tuple[str, ...]) -> Medians:
    """Median microseconds from event to response, with a function of `network_stubs` in place of the stream.

    Traces are off: those of Powertools cost more than ours, and the same in both other contenders.
    """
    times: dict[str, list[int]] = defaultdict(list)
    with serve_aws_stub() as url, ExitStack() as stack:
        processes = {name: stack.enter_context(_start_process(name, stub, url)) for name in CONTENDERS}
        _check_same_responses(processes, cases)
        for turn in range(turns + 1):
            for case in cases:
                for contender, process in processes.items():
                    nanoseconds = _run_case(process, case)
                    if turn:  # the first turn warms up
                        times[f"{contender} {case}"].extend(nanoseconds)
        for process in processes.values():
            process.communicate()
    return {name: round(statistics.median(values) / 1000, 1) for name, values in sorted(times.items())}


def _start_process(contender: str, stub: str, url: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "bench.api.child", contender, "warm", stub],
        env=build_environment(url, POWERTOOLS_TRACE_DISABLED="1"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _check_same_responses(processes: dict[str, "subprocess.Popen[str]"], cases: tuple[str, ...]) -> None:
    """Raise RuntimeError unless all contenders respond the same, apart from what each one generates."""
    for case in cases:
        bodies = {name: _run_case(process, case, 0) for name, process in processes.items()}
        normalized = ({key: _normalize_value(key, value) for key, value in body.items()} for body in bodies.values())
        first, *others = normalized
        if any(other != first for other in others):
            raise RuntimeError(f"{case}: the responses differ: {bodies}")


def _normalize_value(key: str, value: Any) -> Any:
    """Versions, cursors and sentences differ: only their types are compared."""
    return type(value) if key in {"version", "receipt", "next", "detail"} and value else value


def _run_case(process: "subprocess.Popen[str]", case: str, count: int = CALLS_PER_TURN) -> Any:
    assert process.stdin
    assert process.stdout
    print(case, count, sep="\t", file=process.stdin, flush=True)
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"{case}: {process.args!r} ended")
    return json.loads(line)
