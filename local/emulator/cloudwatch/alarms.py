"""Gaps of MiniStack's alarms.

- There is no metric for failed executions, so no alarm on them fires.
- An alarm sends no event of its state.
- A template with an alarm on metric math is refused.

Here an alarm on a workflow's failed executions goes to ALARM at the first failure, and back to OK when its period has
passed without another, also if the emulator was stopped meanwhile. Alarms on other metrics of AWS services, and on
metric math, never fire.
"""

import contextvars
import json
import threading
from types import SimpleNamespace
from typing import Any

from ministack.core.responses import request_scope
from ministack.services import cloudwatch, eventbridge, stepfunctions
from ministack.services.cloudformation import provisioners

from local.emulator.firehose.ministack import wait_for_server
from local.emulator.patching import UnexpectedMiniStackError, replace_function
from local.emulator.workflows import executions

_original = SimpleNamespace()
_reset_timers: dict[str, threading.Timer] = {}


def _emit_execution_status(execution: dict[str, Any]) -> None:
    executions.publish_status(execution)
    if execution["status"] == "FAILED":
        for alarm in list(cloudwatch._alarms.values()):
            if _watches_failures_of(alarm, execution["stateMachineArn"]):
                _fire_alarm(alarm)


def _watches_failures_of(alarm: dict[str, Any], machine_arn: str) -> bool:
    dimensions = alarm.get("Dimensions") or []
    return _counts_failures(alarm) and any(
        entry.get("Name") == "StateMachineArn" and entry.get("Value") == machine_arn for entry in dimensions
    )


def _counts_failures(alarm: dict[str, Any]) -> bool:
    return alarm.get("Namespace") == "AWS/States" and alarm.get("MetricName") == "ExecutionsFailed"


def _fire_alarm(alarm: dict[str, Any]) -> None:
    _set_state(alarm["AlarmName"], "ALARM", "Threshold Crossed: an execution failed")
    _schedule_reset(alarm)


def _schedule_reset(alarm: dict[str, Any]) -> None:
    earlier = _reset_timers.pop(alarm["AlarmArn"], None)
    if earlier:
        earlier.cancel()
    context = contextvars.copy_context()
    timer = threading.Timer(
        float(alarm.get("Period") or 60),
        lambda: context.run(_set_state, alarm["AlarmName"], "OK", "Threshold Crossed: no execution failed"),
    )
    timer.daemon = True
    _reset_timers[alarm["AlarmArn"]] = timer
    timer.start()


def _schedule_resets_after_start() -> None:
    """Let alarms go back to OK that an earlier process left in ALARM. They would not fire at the next failure."""
    wait_for_server()
    for (account, region, _), alarm in list(cloudwatch._alarms._data.items()):
        if _counts_failures(alarm) and alarm["StateValue"] == "ALARM" and alarm["AlarmArn"] not in _reset_timers:
            with request_scope(account, region):
                _schedule_reset(alarm)


def _set_state(name: str, state: str, reason: str) -> None:
    cloudwatch._set_alarm_state({}, {"AlarmName": name, "StateValue": state, "StateReason": reason}, False, True)


def _dispatch_actions(alarm: dict[str, Any], old: str, new: str, reason: str) -> None:
    _original.dispatch_actions(alarm, old, new, reason)
    detail = {
        "alarmName": alarm["AlarmName"],
        "state": {"value": new, "reason": reason},
        "previousState": {"value": old},
        "configuration": {"description": alarm.get("AlarmDescription", "")},
    }
    event = {
        "Source": "aws.cloudwatch",
        "DetailType": "CloudWatch Alarm State Change",
        "Resources": [alarm["AlarmArn"]],
        "Detail": json.dumps(detail),
    }
    eventbridge._put_events({"Entries": [event]}, allow_aws_source=True)


def _build_alarm_record(name: str, props: dict[str, Any]) -> dict[str, Any]:
    """The stored alarm of a template. One with metric math has `Metrics` instead of a metric of its own."""
    queries = props.get("Metrics")
    if not queries:
        record: dict[str, Any] = _original.build_alarm_record(name, props)
        return record
    single_metric = {key: value for key, value in props.items() if key != "Metrics"}
    record = _original.build_alarm_record(name, {**single_metric, "Namespace": "none", "MetricName": "none"})
    for key in ("Namespace", "MetricName", "Dimensions", "Statistic", "ExtendedStatistic", "Period"):
        del record[key]
    return {**record, "Metrics": queries}


def patch() -> None:
    _original.build_alarm_record = replace_function(
        provisioners, "_cw_metric_alarm_record", "4565fcede1eb", _build_alarm_record
    )
    if stepfunctions._emit_execution_status_event is not executions.publish_status:
        raise UnexpectedMiniStackError("The patch cloudwatch.alarms must come after workflows.executions.")
    stepfunctions._emit_execution_status_event = _emit_execution_status
    _original.dispatch_actions = replace_function(
        cloudwatch, "_dispatch_alarm_actions", "fcf47c0d1e6e", _dispatch_actions
    )
    threading.Thread(target=_schedule_resets_after_start, daemon=True, name="alarm-resets").start()
