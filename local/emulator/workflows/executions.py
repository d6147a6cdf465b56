"""Gaps in how Step Functions runs an execution.

- Lambda's throttling has no error name of its own.
- A retrier ignores `MaxDelaySeconds` and `JitterStrategy` and never waits longer than a minute.
- States.ALL matches errors that no state can handle.
- A stopped execution, or one whose history is full, continues to retry.
- Executions are only in memory. Here a log has each start and end before anybody learns of it.
- Executions that run when the emulator stops fail at the next start. On AWS such a stop does not happen. Here they
  start again from their input, so what they do must be safe to repeat, as it must be on AWS. The children of a
  Distributed Map do not: their parent starts others.
"""

import contextvars
import json
import random
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ministack.core import persistence
from ministack.core.responses import AccountRegionScopedDict, now_iso, request_scope
from ministack.services import stepfunctions

from local.emulator.durability import report, services
from local.emulator.firehose import ministack
from local.emulator.patching import replace_function
from local.emulator.workflows.execution_log import ExecutionLog

HISTORY_LIMIT_EVENTS = 25_000
PAYLOAD_LIMIT_BYTES = 262_144
DEFAULT_MAX_ATTEMPTS = 3
# Neither Retry nor Catch handles these, not even with States.ALL.
UNHANDLED_ERRORS = {"States.DataLimitExceeded", "States.Runtime"}

_original = SimpleNamespace()
execution_log = ExecutionLog(Path(persistence.STATE_DIR) / "executions.jsonl")
# `execution`: the one that runs on this thread.
_current = threading.local()


def _matches_error(error_equals: list[str], error: str) -> bool:
    if error in error_equals:
        return True
    if error in UNHANDLED_ERRORS:
        return False
    return "States.ALL" in error_equals or ("States.TaskFailed" in error_equals and error != "States.Timeout")


def _find_retrier(retriers: list[dict[str, Any]], error: str, counts: dict[int, int]) -> tuple[Any, int]:
    """Find the retrier that matches and wait for its delay. The returned retrier makes MiniStack wait no longer."""
    for index, retrier in enumerate(retriers):
        if _matches_error(retrier.get("ErrorEquals", []), error):
            count = counts.get(index, 0)
            if count >= retrier.get("MaxAttempts", DEFAULT_MAX_ATTEMPTS):
                break
            _wait_while_running(compute_retry_delay(retrier, count))
            return {"IntervalSeconds": 0, "BackoffRate": 1.0}, index
    return None, -1


def compute_retry_delay(retrier: dict[str, Any], count: int) -> float:
    """Return the seconds before retry number `count` (from 0) that the fields of the retrier define."""
    first, rate = float(retrier.get("IntervalSeconds", 1)), float(retrier.get("BackoffRate", 2.0))
    try:
        seconds = first * rate**count
    except OverflowError:
        seconds = float("inf")
    seconds = min(seconds, float(retrier.get("MaxDelaySeconds", "inf")))
    if retrier.get("JitterStrategy") == "FULL":
        seconds = random.uniform(0, seconds)  # noqa: S311 - spreads load, needs no secure randomness
    return seconds


def _wait_while_running(seconds: float) -> None:
    """Sleep. Raises _ExecutionError if the execution of this thread is stopped meanwhile."""
    deadline = time.monotonic() + seconds
    while _current.execution["status"] == "RUNNING":
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            return
        time.sleep(min(remaining, 1.0))
    raise stepfunctions._ExecutionError("States.Runtime", "The execution was stopped.")


def _add_event(execution: dict[str, Any], event_type: str, details: Any = None) -> Any:
    _current.execution = execution
    if len(execution["events"]) >= HISTORY_LIMIT_EVENTS and not event_type.startswith("Execution"):
        raise stepfunctions._ExecutionError("States.Runtime", "The execution reached the maximum number of events.")
    return _original.add_event(execution, event_type, details)


def _fail_execution(execution: dict[str, Any], error: str, cause: str) -> None:
    if execution["status"] == "RUNNING":
        _original.fail_execution(execution, error, cause)


def _call_lambda(func_ref: str, event: Any) -> Any:
    execution_error = stepfunctions._ExecutionError
    try:
        result = _original.call_lambda(func_ref, event)
    except execution_error as error:
        if error.error == "Lambda.Unknown" and "TooManyRequestsException" in str(error.cause):
            message = "Rate Exceeded. (Status Code: 429)"
            raise execution_error("Lambda.TooManyRequestsException", message) from None
        raise
    if len(json.dumps(result)) > PAYLOAD_LIMIT_BYTES:
        message = "The state/task returned a result with a size exceeding the maximum number of bytes service limit."
        raise execution_error("States.DataLimitExceeded", message)
    return result


def publish_status(execution: dict[str, Any]) -> None:
    execution_log.append("executions", execution["executionArn"], execution)
    _original.publish_status(execution)


def _restore_state(data: dict[str, Any]) -> None:
    for store, key, record in execution_log.read():
        data.setdefault(store, AccountRegionScopedDict())._data[key] = record
    running = _list_running(data, "executions")
    children = [execution for execution in running if "mapRunArn" in execution]
    for record in children + _list_running(data, "map_runs"):
        record.update(status="ABORTED", stopDate=now_iso())
    interrupted = [execution for execution in running if not ({"mapRunArn", "sync"} & execution.keys())]
    _original.restore_state(data)
    for execution in interrupted:
        _restart_execution(execution)
    report.add("executions started again", len(interrupted))
    services.save_service("stepfunctions")


def _list_running(data: dict[str, Any], store: str) -> list[dict[str, Any]]:
    if store not in data:
        return []
    return [record for record in data[store]._data.values() if record.get("status") == "RUNNING"]


def _restart_execution(execution: dict[str, Any]) -> None:
    execution.update(status="RUNNING", startDate=now_iso(), stopDate=None, output=None, events=execution["events"][:1])
    for field in ("error", "cause"):
        execution.pop(field, None)
    arn = execution["executionArn"]
    _, _, _, region, account, *_ = arn.split(":")

    def run() -> None:
        ministack.wait_for_server()
        with request_scope(account, region):
            stepfunctions._run_execution(arn)

    threading.Thread(target=contextvars.copy_context().run, args=(run,), daemon=True).start()


def patch() -> None:
    replace_function(stepfunctions, "_error_matches", "519b9dc729c5", _matches_error)
    replace_function(stepfunctions, "_find_matching_retrier", "cb494ae8503c", _find_retrier)
    _original.add_event = replace_function(stepfunctions, "_add_event", "b1db143ccd21", _add_event)
    _original.fail_execution = replace_function(stepfunctions, "_fail_execution", "e6da895fa0b7", _fail_execution)
    _original.call_lambda = replace_function(stepfunctions, "_call_lambda", "25830369b126", _call_lambda)
    _original.publish_status = replace_function(
        stepfunctions, "_emit_execution_status_event", "9c89e45693e3", publish_status
    )
    services.add_log("stepfunctions", execution_log)
    _original.restore_state = replace_function(stepfunctions, "_restore_state", "b94c49c3dd97", _restore_state)
