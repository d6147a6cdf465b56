"""The page of the metrics and alarms, made from template.yaml and the metrics that the code counts."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.docs.markdown import NOTICE, escape_cell, format_code, format_table

_COMPOSITE_ALARM = "AWS::CloudWatch::CompositeAlarm"

HEAD = """# Metrics and alarms

## Alarms

Each alarm reports to the topic `Alerts`. [Operate a stack](../how-to/operate.md#which-page-belongs-to-an-alarm) says
which page helps.
"""

COMPOSITES = """## Composite alarms

They combine alarms of the table above, which notify nobody themselves.
[Service levels](../explanation/service-levels.md) says how.
"""

METRICS = """## Metrics of the functions

The functions write these metrics into the namespace `Sluice` (CloudWatch's embedded metric format), at every
`LogLevel`. Each has the dimensions `service` (`sluice`) and `stack` (the stack's name), and no other dimension set. So
two stacks of an account have different metrics, and CloudWatch bills each metric once for each stack.
"""

# What a metric counts. A test fails for a metric of the code that is not here.
MEANINGS = {
    "WritesAccepted": "writes that the API accepted (`202`)",
    "WritesRefused": "writes that the API refused, each line of a request counted",
    "BatchesLoaded": "batches that a load applied and entered in the ledger",
    "BatchesAlreadyLoaded": "batches that the ledger had already, so that their load changed nothing",
    "WritesApplied": "writes that a load applied",
    "WritesStale": "writes that a load skipped, because their item has the same or a greater version",
    "WritesRejected": "writes that the database can never accept, stored with their reason",
    "LoadLag": "time from the oldest write of a batch to the end of its load",
    "BatchesQuarantined": "batches that cannot be read, copied to `quarantine/`",
    "BatchesReplayed": "batches that a replay loaded",
    "RejectedWritesRetried": "rejected writes that were put into a new batch",
    "MigrationsUndone": "rollbacks of a deploy that succeeded without their migration",
    "RecordsFailed": "records of the stream, or lines of them, that are not writes",
    "CanaryWrites": "writes that the canary tried, one each minute",
    "CanaryWritesFailed": "those of them that the API did not accept",
    "CanaryReads": "reads that the canary tried",
    "CanaryReadsFailed": "those of them that the API did not answer",
    "CanaryWaits": "accepted writes of the canary that it waited for until a read showed them",
    "CanaryWaitsFailed": "those of them that no read showed within the objective",
    "CanaryReadableSeconds": "time from the `202` to the first read that showed the write; without one, the age of the item",
    "CacheUnavailable": "invocations that could not use the read cache",
}


def find_metrics(source: Path) -> dict[str, str]:
    """Return the metrics that the code counts: name to unit."""
    return dict(
        sorted(pair for path in sorted(source.rglob("*.py")) for pair in _find_calls(ast.parse(path.read_text())))
    )


def _find_calls(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "add_metric":
            for name in _list_names(node.args[0]):
                yield name, _get_unit(node.args)


def _get_unit(arguments: list[ast.expr]) -> str:
    return arguments[2].attr if len(arguments) > 2 and isinstance(arguments[2], ast.Attribute) else "Count"


def _list_names(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _list_names(node.body)
        yield from _list_names(node.orelse)


def render_alarms(template: dict[str, Any], source: Path) -> str:
    """Return the page."""
    resources = template["Resources"]
    alarms = {name: resource for name, resource in resources.items() if resource["Type"] == "AWS::CloudWatch::Alarm"}
    composites = [(name, entry) for name, entry in resources.items() if entry["Type"] == _COMPOSITE_ALARM]
    lines = [NOTICE.format(source="template.yaml and src/sluice"), "", HEAD]
    lines += format_table(
        ("alarm", "description", "metric", "in alarm when", "only with"),
        (
            (
                format_code(name),
                escape_cell(_get_text(resource["Properties"]["AlarmDescription"])),
                _format_metric(resource["Properties"]),
                escape_cell(_format_rule(resource["Properties"])),
                format_code(resource["Condition"]) if "Condition" in resource else "",
            )
            for name, resource in alarms.items()
        ),
    )
    lines += ["", COMPOSITES]
    lines += format_table(
        ("alarm", "description", "in alarm when", "only with"),
        (
            (
                format_code(name),
                escape_cell(_get_text(resource["Properties"]["AlarmDescription"])),
                format_code(re.sub(r'ALARM\("\$\{(\w+)\}"\)', r"\1", _get_text(resource["Properties"]["AlarmRule"]))),
                format_code(resource["Condition"]),
            )
            for name, resource in composites
        ),
    )
    lines += ["", METRICS]
    lines += format_table(
        ("metric", "unit", "what it counts"),
        ((format_code(name), unit, MEANINGS[name]) for name, unit in find_metrics(source).items()),
    )
    return "\n".join(lines) + "\n"


def _get_text(value: Any) -> str:
    return next(iter(value.values())) if isinstance(value, dict) else str(value)


def _format_metric(alarm: dict[str, Any]) -> str:
    if "Metrics" in alarm:
        metrics = [query["MetricStat"]["Metric"] for query in alarm["Metrics"] if "MetricStat" in query]
        listed = ", ".join(_get_text(metric["MetricName"]) for metric in metrics)
        return format_code(f"{_get_text(metrics[0]['Namespace'])} {listed}")
    return format_code(f"{_get_text(alarm['Namespace'])} {alarm['MetricName']}")


_COMPARISONS = {
    "GreaterThanThreshold": "above",
    "GreaterThanOrEqualToThreshold": "at least",
    "LessThanThreshold": "below",
    "LessThanOrEqualToThreshold": "at most",
}


def _format_rule(alarm: dict[str, Any]) -> str:
    if "Metrics" in alarm:
        # The last query is the one that the alarm compares.
        statistic, period = _get_text(alarm["Metrics"][-1]["Expression"]), alarm["Metrics"][0]["MetricStat"]["Period"]
    else:
        statistic, period = alarm.get("Statistic") or alarm["ExtendedStatistic"], alarm["Period"]
    periods = int(alarm["EvaluationPeriods"])
    needed = alarm.get("DatapointsToAlarm", periods)
    if isinstance(needed, dict):
        span = f"as many of {periods} periods as the objective allows (`{needed['Fn::FindInMap'][0]}`)"
    elif int(needed) != periods:
        span = f"{needed} of {periods} periods"
    else:
        span = f"{periods} period{'s' if periods > 1 else ''}"
    return f"{statistic} {_COMPARISONS[alarm['ComparisonOperator']]} {alarm['Threshold']} for {span} of {period} s"
