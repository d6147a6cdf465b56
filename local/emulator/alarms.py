"""Gap: failed executions were no metric, so that no alarm on them rang, and no alarm told EventBridge of its state.

Here an alarm on a workflow's failed executions rings at the first of them, and is over when its period has passed
without another. Alarms on other metrics of AWS's own stay silent.
"""

import contextvars
import json
import threading
from types import SimpleNamespace
from typing import Any

from ministack.services import cloudwatch, eventbridge, stepfunctions

from local.emulator.expectation import replace

_before = SimpleNamespace()
_timers: dict[str, threading.Timer] = {}


def _rings_for(alarm: dict[str, Any], machine: str) -> bool:
    dimensions = alarm.get("Dimensions") or []
    return (
        alarm.get("Namespace") == "AWS/States"
        and alarm.get("MetricName") == "ExecutionsFailed"
        and any(one.get("Name") == "StateMachineArn" and one.get("Value") == machine for one in dimensions)
    )


def _emit(execution: dict[str, Any]) -> None:
    _before.emit(execution)
    if execution["status"] == "FAILED":
        for alarm in list(cloudwatch._alarms.values()):
            if _rings_for(alarm, execution["stateMachineArn"]):
                _ring(alarm)


def _ring(alarm: dict[str, Any]) -> None:
    _set(alarm["AlarmName"], "ALARM", "Threshold Crossed: an execution failed")
    waiting = _timers.pop(alarm["AlarmArn"], None)
    if waiting:
        waiting.cancel()
    over = contextvars.copy_context()
    timer = threading.Timer(
        float(alarm.get("Period") or 60),
        lambda: over.run(_set, alarm["AlarmName"], "OK", "Threshold Crossed: no execution failed"),
    )
    timer.daemon = True
    _timers[alarm["AlarmArn"]] = timer
    timer.start()


def _set(name: str, state: str, reason: str) -> None:
    cloudwatch._set_alarm_state({}, {"AlarmName": name, "StateValue": state, "StateReason": reason}, False, True)


def _dispatch(alarm: dict[str, Any], old: str, new: str, reason: str) -> None:
    _before.dispatch(alarm, old, new, reason)
    detail = {
        "alarmName": alarm["AlarmName"],
        "state": {"value": new, "reason": reason},
        "previousState": {"value": old},
        "configuration": {"description": alarm.get("AlarmDescription", "")},
    }
    entry = {
        "Source": "aws.cloudwatch",
        "DetailType": "CloudWatch Alarm State Change",
        "Resources": [alarm["AlarmArn"]],
        "Detail": json.dumps(detail),
    }
    eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)


def patch() -> None:
    _before.emit = replace(stepfunctions, "_emit_execution_status_event", "9c89e45693e3", _emit)
    _before.dispatch = replace(cloudwatch, "_dispatch_alarm_actions", "fcf47c0d1e6e", _dispatch)
