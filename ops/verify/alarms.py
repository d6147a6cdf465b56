"""Alarms reach somebody: each has an action, each topic a confirmed subscriber, and the dashboard shows them all."""

import json
from typing import Any

from botocore.exceptions import ClientError

from ops.alerts import count_subscribers
from ops.output import format_count
from ops.verify.check import UNDO_DRIFT, Check, CheckFailed
from ops.verify.subject import Subject


def list_alarms(subject: Subject) -> list[dict[str, Any]]:
    """The alarms of the stack, as CloudWatch describes them; composite alarms have an `AlarmRule`."""
    resources = subject.stack.list_resources("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")
    names = list(resources.values())
    client = subject.stack.client("cloudwatch")
    alarms: list[dict[str, Any]] = []
    for start in range(0, len(names), 100):  # the most that one call takes
        request = {"AlarmNames": names[start : start + 100], "AlarmTypes": ["MetricAlarm", "CompositeAlarm"]}
        response = client.describe_alarms(**request, MaxRecords=100)
        alarms += [*response["MetricAlarms"], *response["CompositeAlarms"]]
    missing = set(names) - {alarm["AlarmName"] for alarm in alarms}
    if missing:
        raise CheckFailed(f"CloudWatch has no alarm {min(missing)}.", UNDO_DRIFT)
    return alarms


def _leave_out_parts(alarms: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The alarms without the parts of composite ones, which notify nobody themselves."""
    rules = " ".join(alarm.get("AlarmRule", "") for alarm in alarms)
    return [alarm for alarm in alarms if f'ALARM("{alarm["AlarmName"]}")' not in rules]


def run_alarms(subject: Subject) -> str:
    """Every alarm, except the parts of a composite one, has the topic of the stack among its enabled actions."""
    alarms = list_alarms(subject)
    if not alarms:
        raise CheckFailed("The stack has no alarm.", "Deploy the current version.")
    topic = subject.stack.output("AlertsTopicArn")
    notifying = _leave_out_parts(alarms)
    for alarm in notifying:
        if not alarm["ActionsEnabled"]:
            raise CheckFailed(
                f"The actions of {alarm['AlarmName']} are disabled.",
                "Enable them: aws cloudwatch enable-alarm-actions.",
            )
        if topic not in alarm["AlarmActions"]:
            raise CheckFailed(
                f"{alarm['AlarmName']} does not notify the topic of alerts.",
                UNDO_DRIFT,
            )
    return f"{format_count(len(notifying), 'alarm')} with an action"


def run_alerts(subject: Subject) -> str:
    """The topic of alerts has a confirmed subscriber."""
    subscribers = count_subscribers(subject.stack)
    if subscribers.confirmed:
        return f"{format_count(subscribers.confirmed, 'confirmed subscriber')}"
    if subscribers.pending:
        raise CheckFailed(
            "Nobody has confirmed the subscription to the alerts.", "Follow the link in the mail that AWS sent."
        )
    raise CheckFailed(
        "Nobody is notified: no alert has a subscriber.",
        "Deploy with AlertEmail, or subscribe to the topic.",
    )


def run_dashboard(subject: Subject) -> str:
    """The stack's dashboard exists and shows every alarm, except the parts of a composite one."""
    dashboards = list(subject.stack.list_resources("AWS::CloudWatch::Dashboard").values())
    if not dashboards:
        raise CheckFailed("The stack has no dashboard.", "Deploy the current version.")
    try:
        body = subject.stack.client("cloudwatch").get_dashboard(DashboardName=dashboards[0])["DashboardBody"]
    except ClientError as error:
        if "NotFound" not in error.response["Error"]["Code"]:
            raise
        raise CheckFailed(f"CloudWatch has no dashboard {dashboards[0]}.", UNDO_DRIFT) from None
    widgets = json.loads(body)["widgets"]
    arns = [arn for widget in widgets for arn in widget["properties"].get("alarms", [])]
    alarms = _leave_out_parts(list_alarms(subject))
    hidden = {alarm["AlarmName"] for alarm in alarms if alarm["AlarmArn"] not in arns}
    if hidden:
        raise CheckFailed(f"The dashboard does not show {min(hidden)}.", UNDO_DRIFT)
    return f"{dashboards[0]}: {format_count(len(widgets), 'widget')}, {format_count(len(arns), 'alarm')}"


CHECKS = [
    Check("alarms", "every alarm notifies the topic of alerts", run_alarms),
    Check("dashboard", "the dashboard exists and shows every alarm", run_dashboard),
    Check("alerts", "somebody receives the alerts", run_alerts),
]
