"""A process of one contender: cold, it says what its start took; warm, it answers events and says how long each took.

python -m bench.api.child CONTENDER import|cold FUNCTION; or CONTENDER warm STAND-IN, and then lines of CASE<TAB>TIMES
(no times: for the answer).
"""

import time

begun = time.perf_counter()  # before anything of a contender is imported, and as little as possible before it

import sys  # noqa: E402

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Context:
    """What Lambda hands a handler besides the event."""

    aws_request_id = "6f3f3a0e-request"
    function_name = "function"
    memory_limit_in_mb = 1024
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:function"


def load_handler(contender: str, function: str) -> "Any":
    import importlib  # noqa: PLC0415

    return importlib.import_module(f"bench.api.with_{contender}").handler(function)


def import_handler(contender: str, function: str) -> "tuple[Any, float]":
    """Import a handler, and say how many seconds it took since the process began with its own work."""
    # The build ships no such package; the driver would import it where it finds it.
    sys.modules["cryptography"] = None  # type: ignore[assignment]
    handle = load_handler(contender, function)
    return handle, time.perf_counter() - begun


def measure_import(contender: str, function: str) -> None:
    print(import_handler(contender, function)[1] * 1000)


def measure_first_call(contender: str, function: str) -> None:
    handle, imported = import_handler(contender, function)
    from bench.api import network_stubs as standins  # noqa: PLC0415
    from bench.api.cases import CASES, FIRST_CASES, load_event  # noqa: PLC0415

    if function == "get":
        standins.replace_driver()
        standins.replace_tls(contender)
    asked = load_event(FIRST_CASES[function])
    called = time.perf_counter()
    answer = handle(asked, Context())
    called = time.perf_counter() - called
    check_status(answer, CASES[FIRST_CASES[function]][2])
    sys.stdout.flush()
    print(imported * 1000, (imported + called) * 1000)


def answer_warm_calls(contender: str, standin: str) -> None:
    import json  # noqa: PLC0415
    import os  # noqa: PLC0415

    # Lines and metrics go where they cost what writing costs, and nobody reads them.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)

    from bench.api import network_stubs as standins  # noqa: PLC0415
    from bench.api.cases import CASES, FUNCTIONS, load_event  # noqa: PLC0415

    standins.replace_driver()
    handlers = {function: load_handler(contender, function) for function in FUNCTIONS}
    standins.replace_tls(contender)
    getattr(standins, standin)(contender)
    events = {case: load_event(case) for case in CASES}
    context = Context()
    for line in sys.stdin:
        case, times = line.rstrip("\n").split("\t")
        handle, asked, found = handlers[CASES[case][0]], events[case], []
        answer = handle(asked, context)
        check_status(answer, CASES[case][2])
        if times == "0":
            print(json.dumps(json.loads(answer["body"])), file=answers, flush=True)
            continue
        for _ in range(int(times)):
            start = time.perf_counter_ns()
            handle(asked, context)
            found.append(time.perf_counter_ns() - start)
        print(json.dumps(found), file=answers, flush=True)


def check_status(answer: "Any", status: int) -> None:
    if answer["statusCode"] != status:
        raise SystemExit(f"expected {status}: {answer}")


if __name__ == "__main__":
    name, how, what = sys.argv[1:]
    {"import": measure_import, "cold": measure_first_call, "warm": answer_warm_calls}[how](name, what)
