"""Gaps of MiniStack's alarms.

- An alarm is evaluated only when PutMetricData is called, so alarms on metrics of AWS services never fire, and nothing
  goes back to OK by itself. All dimensions of a metric are mixed.
- M out of N, missing points and metric math are ignored; a template with an alarm on metric math is refused.
- An alarm sends no event of its state.

Here a thread evaluates all alarms, at the end of each minute as CloudWatch does. An alarm whose present minute already
breaches, and must therefore breach at its end, fires within a second: recoveries start from alarms, and nobody who
tries the stack should wait for a minute. Actions and events follow only a change of state, and composite alarms are
MiniStack's.

`SLUICE_MINUTE_SECONDS` in the environment of the emulator is the length of a minute of alarms, by default 60. With 1,
an alarm on 24 hours can be watched in 24 minutes. The timestamps of metrics are always true.
"""

import datetime
import json
import logging
import threading
import time
from types import SimpleNamespace
from typing import Any

from ministack.core.responses import request_scope
from ministack.services import cloudwatch, eventbridge
from ministack.services.cloudformation import provisioners

from local.emulator.cloudwatch.alarm_points import Points, Window, has_value_above_zero, read_points
from local.emulator.cloudwatch.alarm_rules import Rule, can_only_worsen, describe_change, judge_points, read_rule
from local.emulator.cloudwatch.metric_functions import MetricMathError
from local.emulator.environment import read_minute
from local.emulator.firehose.ministack import wait_for_server
from local.emulator.patching import replace_function

_logger = logging.getLogger("sluice.emulator")
_original = SimpleNamespace()


class AlarmClock:
    """Evaluates alarms whenever `tick` is called. `minute` is the length of a minute in seconds."""

    def __init__(self, minute: float) -> None:
        self.minute = minute
        self._scale = minute / 60
        # When the alarm was evaluated last.
        self._checked_at: dict[str, float] = {}

    def tick(self) -> None:
        for (account, region, _), alarm in list(cloudwatch._alarms._data.items()):
            with request_scope(account, region):
                try:
                    self._evaluate(alarm)
                except MetricMathError as error:
                    # CloudWatch refuses such an alarm.
                    _logger.warning("The alarm %s cannot be evaluated: %s", alarm["AlarmName"], error)
                except Exception:
                    # The other alarms must still be evaluated.
                    _logger.exception("The alarm %s could not be evaluated.", alarm["AlarmName"])

    def forget(self, alarm: dict[str, Any]) -> None:
        """Evaluate the alarm at the next tick, because it was created or changed."""
        self._checked_at.pop(alarm["AlarmArn"], None)

    def _evaluate(self, alarm: dict[str, Any]) -> None:
        rule = read_rule(alarm)
        # Windows slide by a minute, those of an alarm with a shorter period by this period.
        step = min(rule.period, 60) * self._scale
        now = time.time()
        end = now // step * step
        since, self._checked_at[alarm["AlarmArn"]] = self._checked_at.get(alarm["AlarmArn"], 0.0), now
        if self._fires_early(alarm, rule, max(since - 1, end), end + step) or since >= end:
            return
        points = read_points(alarm, Window(rule.period, rule.count, end, self._scale))
        _change_state(alarm, rule, judge_points(rule, points, alarm["StateValue"]), points)

    def _fires_early(self, alarm: dict[str, Any], rule: Rule, since: float, end: float) -> bool:
        """Go to ALARM if the values are enough for it, whatever comes until `end`. Return whether they are."""
        if not can_only_worsen(alarm) or not has_value_above_zero(alarm, since):
            return False
        points = read_points(alarm, Window(rule.period, rule.count, end, self._scale))
        newest = points[-1]
        is_certain = newest is not None and rule.is_breaching(newest)
        if not is_certain or judge_points(rule, points, alarm["StateValue"]) != "ALARM":
            return False
        _change_state(alarm, rule, "ALARM", points)
        return True


def _change_state(alarm: dict[str, Any], rule: Rule, state: str, points: Points) -> None:
    old = alarm["StateValue"]
    if state == old:
        return
    reason = describe_change(rule, points, old, state)
    now = time.time()
    reason_data = {
        "version": "1.0",
        "queryDate": _format_time(now),
        "period": rule.period,
        "recentDatapoints": [value for value in points if value is not None],
        "threshold": rule.threshold,
    }
    statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic")
    if statistic:
        reason_data["statistic"] = statistic
    alarm["StateValue"], alarm["StateReason"] = state, reason
    alarm["StateReasonData"] = json.dumps(reason_data)
    alarm["StateUpdatedTimestamp"] = alarm["StateTransitionedTimestamp"] = int(now)
    cloudwatch._record_history(alarm["AlarmName"], old, state, reason, reason_data=reason_data)
    cloudwatch._dispatch_alarm_actions(alarm, old, state, reason)
    cloudwatch._evaluate_parent_alarms(alarm)


def _format_time(seconds: float) -> str:
    moment = datetime.datetime.fromtimestamp(seconds, tz=datetime.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}+0000"


def _dispatch_actions(alarm: dict[str, Any], old: str, new: str, reason: str) -> None:
    _original.dispatch_actions(alarm, old, new, reason)
    state = {"value": new, "reason": reason, "timestamp": _format_time(time.time())}
    if alarm.get("StateReasonData"):
        state["reasonData"] = alarm["StateReasonData"]
    detail = {
        "alarmName": alarm["AlarmName"],
        "state": state,
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
    return _replace_metric(record, queries)


def _replace_metric(alarm: dict[str, Any], queries: list[dict[str, Any]]) -> dict[str, Any]:
    own = ("Namespace", "MetricName", "Dimensions", "Statistic", "ExtendedStatistic", "Period", "Unit")
    return {**{key: value for key, value in alarm.items() if key not in own}, "Metrics": queries}


def _put_alarm(params: Any, data: dict[str, Any], is_cbor: bool, is_json: bool = False) -> Any:
    response = _original.put_metric_alarm(params, data, is_cbor, is_json)
    if response[0] < 400 and data.get("Metrics"):
        name = data["AlarmName"]
        cloudwatch._alarms[name] = _replace_metric(cloudwatch._alarms[name], data["Metrics"])
    return response


def patch() -> None:
    _original.build_alarm_record = replace_function(
        provisioners, "_cw_metric_alarm_record", "4565fcede1eb", _build_alarm_record
    )
    _original.dispatch_actions = replace_function(
        cloudwatch, "_dispatch_alarm_actions", "fcf47c0d1e6e", _dispatch_actions
    )
    _original.put_metric_alarm = replace_function(cloudwatch, "_put_metric_alarm", "953a67ff4bb1", _put_alarm)
    clock = AlarmClock(read_minute())
    replace_function(cloudwatch, "_evaluate_alarm", "a0b0acd3d432", clock.forget)
    replace_function(cloudwatch, "_evaluate_all_alarms", "f83f88e57f1c", lambda: None)
    threading.Thread(target=_run, args=(clock,), daemon=True, name="alarms").start()


def _run(clock: AlarmClock) -> None:
    wait_for_server()
    pause = threading.Event()
    while not pause.wait(min(1.0, clock.minute / 4)):
        clock.tick()
