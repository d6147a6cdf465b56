"""The description of metrics and alarms is complete, and each entry of it is one that CloudWatch takes."""

import ast
from collections.abc import Iterator

import pytest

from tests.docs.words import ROOT
from tools.monitoring.alarms import ALARMS
from tools.monitoring.metrics import METRICS, OWN_METRICS
from tools.monitoring.model import Alarm
from tools.monitoring.runbooks import read_title
from tools.monitoring.template_block import build_alarm

# The longest value that the template takes for RunbookUrl.
LONGEST_URL = "https://" + "x" * 201


def list_counted_metrics() -> set[tuple[str, str]]:
    """The metrics that the functions count: name and unit."""
    trees = [ast.parse(path.read_text()) for path in sorted((ROOT / "src/sluice").rglob("*.py"))]
    calls = [
        node
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "add_metric"
    ]
    return {(name, get_unit(call.args)) for call in calls for name in list_names(call.args[0])}


def get_unit(arguments: list[ast.expr]) -> str:
    return arguments[2].attr if len(arguments) > 2 and isinstance(arguments[2], ast.Attribute) else "Count"


def list_names(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant):
        yield str(node.value)
    elif isinstance(node, ast.IfExp):
        yield from list_names(node.body)
        yield from list_names(node.orelse)
    else:
        pytest.fail(f"the metric in line {node.lineno} has no constant name")


def test_the_metrics_that_the_functions_count_are_described() -> None:
    counted = list_counted_metrics()
    assert len(counted) > 10
    assert counted == {(metric.name, metric.unit) for metric in OWN_METRICS}


def test_no_metric_is_described_twice() -> None:
    names = [(metric.namespace, metric.name) for metric in METRICS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("alarm", ALARMS, ids=lambda alarm: alarm.name)
def test_an_alarm_has_a_runbook_and_a_described_metric(alarm: Alarm) -> None:
    assert read_title(alarm.runbook)
    assert {series.metric for series in alarm.series} <= set(METRICS)


def test_a_runbook_without_its_section_is_noticed() -> None:
    with pytest.raises(ValueError, match=r"docs/how-to/outages\.md has no section #the-moon-is-unavailable"):
        read_title("outages.md#the-moon-is-unavailable")


@pytest.mark.parametrize("alarm", ALARMS, ids=lambda alarm: alarm.name)
def test_an_alarm_can_be_created(alarm: Alarm) -> None:
    """CloudWatch's limits: see PutMetricAlarm in its API reference."""
    properties = build_alarm(alarm)["Properties"]
    description = properties["AlarmDescription"].replace("${RunbookUrl}", LONGEST_URL)
    assert "${" not in description
    assert len(description) <= 1024
    # A period of less than an hour may look back a day, a longer one a week.
    period = max(series.period for series in alarm.series)
    assert period % 60 == 0
    assert period * alarm.periods <= (86_400 if period < 3600 else 604_800)
    assert len({series.period for series in alarm.series}) == 1
    assert alarm.needed is None or 1 <= alarm.needed <= alarm.periods


def test_no_alarm_is_described_twice() -> None:
    names = [alarm.name for alarm in ALARMS]
    assert len(names) == len(set(names))
