"""Gap: Step Functions did not tell Lambda's throttling by its name, retried with a fixed bound of a minute whatever
`MaxDelaySeconds` and `JitterStrategy` said, let States.ALL match the errors no state can handle, and went on retrying
in an execution that had been stopped or whose history was full.
"""

import json
import threading
import time
from types import SimpleNamespace
from typing import Any

from ministack.services import stepfunctions

from local.emulator.expectation import replace
from local.emulator.retrying import delay

_before = SimpleNamespace()
_at_work = threading.local()

HISTORY_LIMIT = 25_000
PAYLOAD_LIMIT = 262_144
# Neither Retry nor Catch reaches these, not even with States.ALL.
BEYOND_HANDLING = {"States.DataLimitExceeded", "States.Runtime"}


def _matches(error_equals: list[str], error: str) -> bool:
    if error in error_equals:
        return True
    if error in BEYOND_HANDLING:
        return False
    return "States.ALL" in error_equals or ("States.TaskFailed" in error_equals and error != "States.Timeout")


def _find_retrier(retriers: list[dict[str, Any]], error: str, counts: dict[int, int]) -> tuple[Any, int]:
    """The retrier to follow, its delay already waited: MiniStack would wait as it thinks right."""
    for index, retrier in enumerate(retriers):
        if _matches(retrier.get("ErrorEquals", []), error):
            count = counts.get(index, 0)
            if count >= retrier.get("MaxAttempts", 3):
                break
            _wait(delay(retrier, count))
            return {"IntervalSeconds": 0, "BackoffRate": 1.0}, index
    return None, -1


def _wait(seconds: float) -> None:
    """Sleep, but not on when the execution at work on this thread was stopped meanwhile. Raises _ExecutionError."""
    deadline = time.monotonic() + seconds
    while _at_work.execution["status"] == "RUNNING":
        rest = deadline - time.monotonic()
        if rest <= 0:
            return
        time.sleep(min(rest, 1.0))
    raise stepfunctions._ExecutionError("States.Runtime", "The execution was stopped.")


def _add_event(execution: dict[str, Any], event_type: str, details: Any = None) -> Any:
    _at_work.execution = execution
    if len(execution["events"]) >= HISTORY_LIMIT and not event_type.startswith("Execution"):
        raise stepfunctions._ExecutionError("States.Runtime", "The execution reached the maximum number of events.")
    return _before.add_event(execution, event_type, details)


def _fail(execution: dict[str, Any], error: str, cause: str) -> None:
    if execution["status"] == "RUNNING":
        _before.fail(execution, error, cause)


def _call_lambda(func_ref: str, event: Any) -> Any:
    failed = stepfunctions._ExecutionError
    try:
        result = _before.call_lambda(func_ref, event)
    except failed as error:
        if error.error == "Lambda.Unknown" and "TooManyRequestsException" in str(error.cause):
            raise failed("Lambda.TooManyRequestsException", "Rate Exceeded. (Status Code: 429)") from None
        raise
    if len(json.dumps(result)) > PAYLOAD_LIMIT:
        message = "The state/task returned a result with a size exceeding the maximum number of bytes service limit."
        raise failed("States.DataLimitExceeded", message)
    return result


def patch() -> None:
    replace(stepfunctions, "_error_matches", "519b9dc729c5", _matches)
    replace(stepfunctions, "_find_matching_retrier", "cb494ae8503c", _find_retrier)
    _before.add_event = replace(stepfunctions, "_add_event", "b1db143ccd21", _add_event)
    _before.fail = replace(stepfunctions, "_fail_execution", "e6da895fa0b7", _fail)
    _before.call_lambda = replace(stepfunctions, "_call_lambda", "25830369b126", _call_lambda)
