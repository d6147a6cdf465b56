"""Gaps in the metrics of Lambda and Step Functions.

- Only direct invocations count, not those of API Gateway, Firehose, Step Functions and events. An asynchronous one
  counts before it runs and never fails. A throttled one counts twice, and as an invocation.
- ConcurrentExecutions does not exist.
- Executions of workflows count nothing.

Semantics: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html (a throttled invocation counts
neither as invocation nor as error; the concurrency is that when an invocation starts, also for all functions together,
without dimensions) and https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html.
"""

import datetime
import time
from types import SimpleNamespace
from typing import Any

from ministack.services import lambda_svc, stepfunctions

from local.emulator.cloudwatch import metric_store
from local.emulator.patching import UnexpectedMiniStackError, replace_function
from local.emulator.workflows import executions

_EXECUTION_METRICS = {
    "RUNNING": "ExecutionsStarted",
    "SUCCEEDED": "ExecutionsSucceeded",
    "FAILED": "ExecutionsFailed",
    "ABORTED": "ExecutionsAborted",
    "TIMED_OUT": "ExecutionsTimedOut",
}

_original = SimpleNamespace()


def _acquire_slot(func: dict[str, Any], config: dict[str, Any]) -> tuple[str | None, str | None]:
    slot, limit = _original.acquire_slot(func, config)
    dimensions = {"FunctionName": config.get("FunctionName", "")}
    if slot is None:
        metric_store.record("AWS/Lambda", "Throttles", 1, "Count", dimensions)
        return slot, limit
    running, total = lambda_svc._inflight.get(slot, 1), lambda_svc._inflight_total
    metric_store.record("AWS/Lambda", "ConcurrentExecutions", running, "Count", dimensions)
    metric_store.record("AWS/Lambda", "ConcurrentExecutions", total, "Count")
    return slot, limit


def _execute_function(func: dict[str, Any], config: dict[str, Any], *arguments: Any) -> Any:
    started = time.perf_counter()
    result = _original.execute_function(func, config, *arguments)
    milliseconds = (time.perf_counter() - started) * 1000
    dimensions = {"FunctionName": config.get("FunctionName", "")}
    has_failed = bool(result.get("error")) if isinstance(result, dict) else False
    values = (
        ("Invocations", 1.0, "Count"),
        ("Errors", float(has_failed), "Count"),
        ("Throttles", 0.0, "Count"),
        ("Duration", milliseconds, "Milliseconds"),
    )
    metric_store.record_values("AWS/Lambda", dimensions, values)
    return result


def _publish_status(execution: dict[str, Any]) -> None:
    executions.publish_status(execution)
    dimensions = {"StateMachineArn": execution["stateMachineArn"]}
    metric_store.record("AWS/States", _EXECUTION_METRICS[execution["status"]], 1, "Count", dimensions)
    if execution["stopDate"]:
        started, stopped = (datetime.datetime.fromisoformat(execution[key]) for key in ("startDate", "stopDate"))
        milliseconds = (stopped - started).total_seconds() * 1000
        metric_store.record("AWS/States", "ExecutionTime", milliseconds, "Milliseconds", dimensions)


def patch() -> None:
    _original.acquire_slot = replace_function(lambda_svc, "_acquire_execution_slot", "ed3b38149e2e", _acquire_slot)
    _original.execute_function = replace_function(
        lambda_svc, "_execute_function_dispatch", "f62cd259213e", _execute_function
    )
    replace_function(lambda_svc, "_emit_lambda_metrics", "3b6689d77cf6", lambda *_, **__: None)
    if stepfunctions._emit_execution_status_event is not executions.publish_status:
        raise UnexpectedMiniStackError("The patch cloudwatch.service_metrics must come after workflows.executions.")
    stepfunctions._emit_execution_status_event = _publish_status
