"""The process of one contender: cold, it prints how long its start takes; warm, it handles events and prints the times.

    python -m bench.api.child CONTENDER import|cold FUNCTION
    python -m bench.api.child CONTENDER warm STUB

A warm process reads lines of CASE<TAB>COUNT, and handles the event of the case COUNT times. With the count 0 it prints
the response.
"""

import time

process_started = (
    time.perf_counter()
)  # before the imports of a contender, and with as few imports before it as possible

import sys  # noqa: E402

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Context:
    """What Lambda passes to a handler with the event."""

    aws_request_id = "6f3f3a0e-request"
    function_name = "function"
    memory_limit_in_mb = 1024
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:function"


def load_handler(contender: str, function: str) -> "Any":
    import importlib  # noqa: PLC0415

    return importlib.import_module(f"bench.api.with_{contender}").load_handler(function)


def import_handler(contender: str, function: str) -> "tuple[Any, float]":
    """Import a handler. Returns it with the seconds since the start of the process."""
    # The build does not ship this package. Where it is installed, the driver would import it.
    sys.modules["cryptography"] = None  # type: ignore[assignment]
    handle = load_handler(contender, function)
    return handle, time.perf_counter() - process_started


def measure_import(contender: str, function: str) -> None:
    print(import_handler(contender, function)[1] * 1000)


def measure_first_call(contender: str, function: str) -> None:
    handle, import_seconds = import_handler(contender, function)
    from bench.api import network_stubs  # noqa: PLC0415
    from bench.api.cases import CASES, FIRST_CASES, load_event  # noqa: PLC0415

    if function == "get":
        network_stubs.replace_driver()
        network_stubs.replace_tls(contender)
    event = load_event(FIRST_CASES[function])
    started = time.perf_counter()
    response = handle(event, Context())
    call_seconds = time.perf_counter() - started
    check_status(response, CASES[FIRST_CASES[function]][2])
    sys.stdout.flush()
    print(import_seconds * 1000, (import_seconds + call_seconds) * 1000)


def answer_warm_calls(contender: str, stub: str) -> None:
    import json  # noqa: PLC0415
    import os  # noqa: PLC0415

    # Log lines and metrics go to /dev/null: writing them costs its usual time.
    output = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)

    from bench.api import network_stubs  # noqa: PLC0415
    from bench.api.cases import CASES, FUNCTIONS, load_event  # noqa: PLC0415

    network_stubs.replace_driver()
    handlers = {function: load_handler(contender, function) for function in FUNCTIONS}
    network_stubs.replace_tls(contender)
    getattr(network_stubs, stub)(contender)
    events = {case: load_event(case) for case in CASES}
    context = Context()
    for line in sys.stdin:
        case, count = line.rstrip("\n").split("\t")
        handle, event, times = handlers[CASES[case][0]], events[case], []
        response = handle(event, context)
        check_status(response, CASES[case][2])
        if count == "0":
            print(json.dumps(json.loads(response["body"])), file=output, flush=True)
            continue
        for _ in range(int(count)):
            started = time.perf_counter_ns()
            handle(event, context)
            times.append(time.perf_counter_ns() - started)
        print(json.dumps(times), file=output, flush=True)


def check_status(response: "Any", status: int) -> None:
    if response["statusCode"] != status:
        raise SystemExit(f"expected {status}: {response}")


if __name__ == "__main__":
    contender_name, mode, argument = sys.argv[1:]
    {"import": measure_import, "cold": measure_first_call, "warm": answer_warm_calls}[mode](contender_name, argument)
