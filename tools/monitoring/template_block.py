"""The block of template.yaml that the description generates, between two comments."""

import re
from collections.abc import Sequence
from typing import Any

import yaml

from tools.monitoring.alarms import ALARMS, COMPOSITE_ALARMS
from tools.monitoring.dashboard import SECTIONS
from tools.monitoring.model import Alarm, CompositeAlarm, Expression, GetAtt, Mapped, Ref, Series, Sub
from tools.monitoring.queries import QUERIES, Query
from tools.monitoring.widgets import Widget, place_widgets

BEGIN = "  # ---- Generated from tools/monitoring by `make docs`: change it there ----\n"
END = "  # ---- End of what tools/monitoring generates ----\n"

_COMPARISONS = {
    "above": "GreaterThanThreshold",
    "at least": "GreaterThanOrEqualToThreshold",
    "below": "LessThanThreshold",
    "at most": "LessThanOrEqualToThreshold",
}
_MISSING = {"fine": "notBreaching", "unknown": "missing", "breach": "breaching"}


class _Line(list[Any]):
    """A list that is written in one line."""


class _Text(str):
    """A text that is written line by line."""

    __slots__ = ()


class _SubText(str):
    """`!Sub` of a text that is written line by line."""

    __slots__ = ()


class _SubValues(list[Any]):
    """`!Sub` of a text, and the values of its own variables."""


class _If(list[Any]):
    """`!If`: a condition, the value with it and the value without it."""


class _Dumper(yaml.SafeDumper):
    """A YAML dumper that writes the short forms of CloudFormation's functions."""

    def ignore_aliases(self, _data: Any) -> bool:
        """CloudFormation takes no aliases."""
        return True


_Dumper.add_representer(
    _Line, lambda dumper, value: dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=True)
)
_Dumper.add_representer(
    _Text, lambda dumper, value: dumper.represent_scalar("tag:yaml.org,2002:str", str(value), style="|")
)
_Dumper.add_representer(_SubText, lambda dumper, value: dumper.represent_scalar("!Sub", str(value), style="|"))
_Dumper.add_representer(_SubValues, lambda dumper, value: dumper.represent_sequence("!Sub", value, flow_style=False))
_Dumper.add_representer(_If, lambda dumper, value: dumper.represent_sequence("!If", value))
for function in (Ref, Sub, GetAtt):
    _Dumper.add_representer(
        function, lambda dumper, value: dumper.represent_scalar(f"!{type(value).__name__}", str(value))
    )


_Dumper.add_representer(
    Mapped,
    lambda dumper, value: dumper.represent_sequence(
        "!FindInMap", [value.mapping, Ref(value.parameter), value.key], flow_style=True
    ),
)


def replace_block(text: str, begin: str, end: str, content: str) -> str:
    """The text with what stands between two lines replaced. Raises ValueError when a line is missing."""
    before, has_begin, rest = text.partition(begin)
    _, has_end, after = rest.partition(end)
    if not has_begin or not has_end:
        raise ValueError(f"The lines {begin.strip()!r} and {end.strip()!r} are missing.")
    return f"{before}{begin}{content}{end}{after}"


def render_template(template: str) -> str:
    """The text of template.yaml with the block that the description generates."""
    return replace_block(
        template, BEGIN, END, "\n" + "\n".join(map(_render_resource, build_resources().items())) + "\n"
    )


def build_resources() -> dict[str, dict[str, Any]]:
    """The resources of the block, by their logical ids."""
    return {
        **{alarm.name: build_alarm(alarm) for alarm in ALARMS},
        **{alarm.name: build_composite_alarm(alarm) for alarm in COMPOSITE_ALARMS},
        "Dashboard": build_dashboard(),
        **{query.name: build_query(query) for query in QUERIES},
    }


def _render_resource(entry: tuple[str, dict[str, Any]]) -> str:
    text: str = yaml.dump(
        dict([entry]), Dumper=_Dumper, sort_keys=False, width=10_000, default_flow_style=None, allow_unicode=True
    )
    # PyYAML quotes every scalar that has a tag.
    text = re.sub(r"!(Ref|GetAtt) '([\w.:]+)'", r"!\1 \2", text)
    return re.sub(r"^", "  ", text.rstrip("\n"), flags=re.MULTILINE) + "\n"


def build_alarm(alarm: Alarm) -> dict[str, Any]:
    """The resource of an alarm."""
    watched = alarm.watches
    properties: dict[str, Any] = {
        "AlarmDescription": _describe(alarm),
        **(_build_queries(watched) if isinstance(watched, Expression) else _build_metric(watched)),
        "EvaluationPeriods": alarm.periods,
        **({"DatapointsToAlarm": alarm.needed} if alarm.needed else {}),
        "Threshold": alarm.threshold,
        "ComparisonOperator": _COMPARISONS[alarm.comparison],
        "TreatMissingData": _MISSING[alarm.missing],
        **({} if alarm.is_part else {"AlarmActions": [Ref("Alerts")]}),
        **({"OKActions": [Ref("Alerts")]} if alarm.reports_end else {}),
    }
    return _build_resource("AWS::CloudWatch::Alarm", alarm, properties)


def build_composite_alarm(alarm: CompositeAlarm) -> dict[str, Any]:
    """The resource of a composite alarm."""
    groups = (" AND ".join(f'ALARM("${{{name}}}")' for name in group) for group in alarm.groups)
    properties = {
        "AlarmDescription": _describe(alarm),
        "AlarmRule": Sub(" OR ".join(f"({group})" for group in groups)),
        "AlarmActions": [Ref("Alerts")],
        "OKActions": [Ref("Alerts")],
    }
    return _build_resource("AWS::CloudWatch::CompositeAlarm", alarm, properties)


def _build_resource(kind: str, alarm: Alarm | CompositeAlarm, properties: dict[str, Any]) -> dict[str, Any]:
    condition = {"Condition": alarm.condition} if alarm.condition else {}
    return {"Type": kind, **condition, "Properties": properties}


def _describe(alarm: Alarm | CompositeAlarm) -> Sub:
    return Sub(f"{alarm.says} Runbook: ${{RunbookUrl}}/how-to/{alarm.runbook}")


def _build_metric(series: Series) -> dict[str, Any]:
    is_percentile = re.fullmatch(r"p\d+(\.\d+)?", series.statistic)
    return {
        **_identify_metric(series),
        "ExtendedStatistic" if is_percentile else "Statistic": series.statistic,
        "Period": series.period,
    }


def _identify_metric(series: Series) -> dict[str, Any]:
    return {
        "Namespace": series.metric.namespace,
        "MetricName": series.metric.name,
        "Dimensions": _Line({"Name": name, "Value": value} for name, value in series.dimensions.items()),
    }


def _build_queries(expression: Expression) -> dict[str, Any]:
    queries: list[dict[str, Any]] = [
        {
            "Id": name,
            "ReturnData": False,
            "MetricStat": {"Metric": _identify_metric(series), "Stat": series.statistic, "Period": series.period},
        }
        for name, series in expression.series.items()
    ]
    return {"Metrics": [*queries, {"Id": expression.result, "Expression": expression.formula}]}


def build_dashboard() -> dict[str, Any]:
    """The resource of the dashboard. Widgets with a condition are variables of its text, one for each condition."""
    widgets = place_widgets(SECTIONS)
    conditions = dict.fromkeys(widget.condition for widget in widgets if widget.condition)
    always = [widget for widget in widgets if not widget.condition]
    lines = [widget.encode() for widget in always]
    lines += [f"${{{condition}Widgets}}" for condition in conditions]
    text = '{"start": "-PT3H", "periodOverride": "inherit", "widgets": [\n' + ",\n".join(lines) + "\n]}"
    values: dict[str, Any] = {
        "Begin": _If(["RunbooksPublished", "[", ""]),
        "Middle": _If(["RunbooksPublished", "](", " (`"]),
        "End": _If(["RunbooksPublished", ")", "`)"]),
        **_build_entry_values(always),
    }
    for condition in conditions:
        conditional = [widget for widget in widgets if widget.condition == condition]
        shown = _SubText(",\n".join(widget.encode() for widget in conditional))
        further = _build_entry_values(conditional)
        present = _SubValues([_Text(shown), further]) if further else shown
        absent = _Text(",\n".join(widget.encode_absence() for widget in conditional))
        values[f"{condition}Widgets"] = _If([condition, present, absent])
    name = Sub("${AWS::StackName}-${AWS::Region}")  # dashboards belong to no Region
    properties = {"DashboardName": name, "DashboardBody": _SubValues([_Text(text), values])}
    return {"Type": "AWS::CloudWatch::Dashboard", "Properties": properties}


def _build_entry_values(widgets: Sequence[Widget]) -> dict[str, Any]:
    """The variables of the entries that have a condition of their own."""
    return {
        name: _If([entry.condition, Sub(entry.text), ""])
        for widget in widgets
        for name, entry in widget.variables.items()
    }


def build_query(query: Query) -> dict[str, Any]:
    """The resource of a saved query, in a folder with the name of the stack."""
    properties = {
        "Name": Sub(f"${{AWS::StackName}}/{query.title}"),
        "LogGroupNames": [Ref(group) for group in query.log_groups],
        "QueryString": _Text(query.text),
    }
    return {"Type": "AWS::Logs::QueryDefinition", "Properties": properties}
