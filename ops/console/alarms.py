"""The alarms of a stack with their state, and the page of the documentation that helps with each."""

import re
from functools import cache

from ops.aws import REPOSITORY, Stack
from ops.console.messages import Alarm
from ops.times import format_time

GUIDE = REPOSITORY / "docs/how-to/operate.md"
MAX_PAGE = 100
# The alarms that need attention come first.
_ORDER = {"ALARM": 0, "INSUFFICIENT_DATA": 1, "OK": 2}


def list_alarms(stack: Stack) -> list[Alarm]:
    """The alarms of the stack, those in alarm first. Raises the exceptions of botocore.

    The parts of a composite alarm notify nobody themselves, and are left out. CloudFormation names an alarm by the
    stack, the logical id and a random part. Another stack's name may begin with this one's, but its alarms notify
    another topic.
    """
    topic = stack.output("AlertsTopicArn")
    pages = (
        stack.client("cloudwatch")
        .get_paginator("describe_alarms")
        .paginate(
            AlarmNamePrefix=f"{stack.name}-",
            AlarmTypes=["MetricAlarm", "CompositeAlarm"],
            PaginationConfig={"PageSize": MAX_PAGE},
        )
    )
    alarms = [
        Alarm(
            name=get_logical_id(entry["AlarmName"], stack.name),
            state=entry["StateValue"],
            since=format_time(entry.get("StateTransitionedTimestamp") or entry["StateUpdatedTimestamp"]),
            reason=entry.get("StateReason", ""),
            description=entry.get("AlarmDescription", ""),
            runbook=read_runbooks().get(get_logical_id(entry["AlarmName"], stack.name), ""),
        )
        for page in pages
        for kind in ("MetricAlarms", "CompositeAlarms")
        for entry in page.get(kind, [])
        if topic in entry["AlarmActions"]
    ]
    return sorted(alarms, key=lambda alarm: (_ORDER[alarm.state], alarm.name))


def get_logical_id(alarm_name: str, stack_name: str) -> str:
    """The name of an alarm in the template: `LoadErrorsAlarm` of `sluice-LoadErrorsAlarm-1A2B3C`."""
    return alarm_name.removeprefix(f"{stack_name}-").split("-", 1)[0]


@cache
def read_runbooks() -> dict[str, str]:
    """The page of each alarm, from the table in docs/how-to/operate.md: `how-to/outages.md#the-replica-lags`."""
    rows = re.findall(r"^\| \[.+\]\(([^)]+)\) \| ([A-Za-z, ]+Alarm) \|$", GUIDE.read_text(), re.MULTILINE)
    return {name: f"how-to/{page}" for page, names in rows for name in names.split(", ")}
