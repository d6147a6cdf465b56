"""What a dashboard consists of, where each widget stands, and the JSON that CloudWatch takes.

The rules of the JSON: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tools.monitoring.model import Alarm, CompositeAlarm, GetAtt, Metric, Ref, Series
from tools.monitoring.runbooks import read_title

COLUMNS = 24
_HEADER_HEIGHT = 3
# Columns that an alarm of a grid needs. Its line needs one row.
_ALARM_WIDTH = 4
# CloudFront sends its metrics to this Region only.
_EDGE_REGION = "us-east-1"

# What a widget says in a stack without its condition.
_ABSENCES = {
    "HasReplica": "The stack has no replica of its own.",
    "SeveralReplicas": "With less than two replicas, none is skipped.",
    "BurstablePrimary": "The class of the database has no CPU credits.",
    "OwnDatabase": "`ProvisionDatabase` is false: the existing database has monitoring of its own.",
    "Cached": "`ReadCache` is false: there is no read cache.",
    "Restorable": "`PrimaryInstance` is empty: the stack does not know an RDS instance to restore.",
    "BackupsProven": "`BackupProof` is none: no backup is restored and compared.",
    "OwnCache": "The stack has no read cache of its own.",
    "CanaryDeployed": "`Canary` is off: no service level is measured.",
    "CanaryScheduled": "`Canary` is not scheduled: no service level is measured.",
}


# The condition that holds whenever another one does.
_BROADER = {
    "HasReplica": "OwnDatabase",
    "BurstableReplica": "BurstablePrimary",
    **{f"{kind}{number}": f"{kind}{number - 1}" for kind in ("HasReplica", "BurstableReplica") for number in (3, 4, 5)},
    **{f"{kind}2": kind for kind in ("HasReplica", "BurstableReplica")},
}


@dataclass(frozen=True)
class Line:
    """A line of a graph: a series, or metric math on the keys of the graph's other lines. A hidden one has no label.

    `condition` is the condition of the template without which the graph has no such line.
    """

    shows: Series | str
    label: str = ""
    key: str = ""
    condition: str = ""


@dataclass(frozen=True, kw_only=True)
class Graph:
    """A graph over time. `runbook` is the page that helps with what it shows. `limits` are horizontal lines by label.

    `condition` is the condition of the template without which there is nothing to show.
    """

    title: str
    lines: tuple[Line, ...]
    runbook: str
    width: int = 6
    height: int = 6
    unit: str = ""
    minimum: int = 0
    limits: tuple[tuple[str, float | str], ...] = ()
    condition: str = ""


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the dashboard: a title with the runbooks, graphs from left to right, and the state of its alarms."""

    title: str
    text: str
    graphs: tuple[Graph, ...]
    alarms: tuple[Alarm | CompositeAlarm, ...]


@dataclass(frozen=True)
class Entry:
    """An entry in the list of a widget's lines or alarms, after others, with a condition of its own. `text` is JSON."""

    condition: str
    text: str


@dataclass(frozen=True)
class Widget:
    """A widget at its place, in columns and rows from the top left.

    `entries` are those of its lines or alarms that the stack may lack though it has the widget.
    """

    kind: str
    x: int
    y: int
    width: int
    height: int
    properties: dict[str, Any]
    condition: str = ""
    entries: tuple[Entry, ...] = ()

    @property
    def variables(self) -> dict[str, Entry]:
        """The further entries, by the names of the variables of Fn::Sub that stand for them."""
        return {f"X{self.x}Y{self.y}N{number}": entry for number, entry in enumerate(self.entries)}

    def encode(self) -> str:
        """The JSON of the widget, in one line. `${…}` in it is for Fn::Sub."""
        place = {"x": self.x, "y": self.y, "width": self.width, "height": self.height}
        text = json.dumps({"type": self.kind, **place, "properties": self.properties}, ensure_ascii=False)
        if variables := "".join(f"${{{name}}}" for name in self.variables):
            listed = json.dumps(self.properties.get("metrics") or self.properties["alarms"], ensure_ascii=False)
            text = text.replace(listed, f"{listed[:-1]}{variables}]")
        # A number that a parameter has stands without quotes.
        return text.replace('"#{', "${").replace('}#"', "}")

    def encode_absence(self) -> str:
        """The JSON of the text that stands in the widget's place in a stack without its condition."""
        text = f"{self.properties['title']}. {_ABSENCES[self.condition]}"
        return Widget("text", self.x, self.y, self.width, self.height, {"markdown": text}).encode()


def place_widgets(sections: Sequence[Section]) -> list[Widget]:
    """Every widget of the sections, one section below the other."""
    widgets: list[Widget] = []
    for section in sections:
        top = max((widget.y + widget.height for widget in widgets), default=0)
        widgets += _place_section(section, top)
    return widgets


def _place_section(section: Section, top: int) -> Iterator[Widget]:
    yield Widget("text", 0, top, COLUMNS, _HEADER_HEIGHT, {"markdown": _format_header(section)})
    x, y, row_height = 0, top + _HEADER_HEIGHT, 0
    for graph in section.graphs:
        if x + graph.width > COLUMNS:
            x, y, row_height = 0, y + row_height, 0
        entries = tuple(_build_entry(line.condition, _build_line(line)) for line in graph.lines if line.condition)
        yield Widget("metric", x, y, graph.width, graph.height, build_graph(graph), graph.condition, entries)
        x, row_height = x + graph.width, max(row_height, graph.height)
    yield from _place_alarms(section, y + row_height)


def _place_alarms(section: Section, y: int) -> Iterator[Widget]:
    """The grids of alarms below the graphs: one for each condition, side by side."""
    present = {alarm.condition for alarm in section.alarms}
    grids: dict[str, list[Alarm | CompositeAlarm]] = {}
    for alarm in section.alarms:
        grids.setdefault(_find_broadest(alarm.condition, present), []).append(alarm)
    width = COLUMNS // max(1, len(grids))
    lines = max((math.ceil(len(alarms) * _ALARM_WIDTH / width) for alarms in grids.values()), default=0)
    for number, (condition, alarms) in enumerate(grids.items()):
        arns = [f"${{{alarm.name}.Arn}}" for alarm in alarms if alarm.condition == condition]
        entries = tuple(
            _build_entry(alarm.condition, f"${{{alarm.name}.Arn}}") for alarm in alarms if alarm.condition != condition
        )
        properties = {"title": f"Alarms: {section.title.lower()}", "alarms": arns}
        yield Widget("alarm", number * width, y, width, 1 + lines, properties, condition, entries)


def _find_broadest(condition: str, present: set[str]) -> str:
    """Of these conditions, the one that holds in most stacks and whenever the given one holds."""
    broadest = broader = condition
    while broader := _BROADER.get(broader, ""):
        broadest = broader if broader in present else broadest
    return broadest


def _format_header(section: Section) -> str:
    """The text above a section. `${Begin}`, `${Middle}` and `${End}` make links where the pages have an address."""
    titles: dict[str, list[str]] = {}
    for graph in section.graphs:
        titles.setdefault(graph.runbook, []).append(graph.title)
    links = " · ".join(f"{', '.join(named)}: {_format_link(runbook)}" for runbook, named in titles.items())
    return f"## {section.title}\n{section.text}\n\n{links}"


def _format_link(runbook: str) -> str:
    return f"${{Begin}}{read_title(runbook)}${{Middle}}${{RunbookUrl}}/how-to/{runbook}${{End}}"


def build_graph(graph: Graph) -> dict[str, Any]:
    """The properties of a graph."""
    axis: dict[str, Any] = {"min": graph.minimum, **({"label": graph.unit, "showUnits": False} if graph.unit else {})}
    limits = [{"label": label, "value": value} for label, value in graph.limits]
    return {
        "title": graph.title,
        "region": "${AWS::Region}",
        "view": "timeSeries",
        "yAxis": {"left": axis},
        "metrics": [_build_line(line) for line in graph.lines if not line.condition],
        **({"annotations": {"horizontal": limits}} if limits else {}),
    }


def _build_line(line: Line) -> list[Any]:
    options = {
        **({"id": line.key} if line.key else {}),
        **({"label": line.label} if line.label else {"visible": False}),
    }
    if isinstance(line.shows, str):
        return [{"expression": line.shows, **options}]
    series = line.shows
    names = [text for name, value in series.dimensions.items() for text in (name, _write_value(value))]
    region = {"region": _EDGE_REGION} if series.metric.namespace == "AWS/CloudFront" else {}
    how = {"stat": series.statistic, "period": series.period}
    return [series.metric.namespace, series.metric.name, *names, {**how, **options, **region}]


def _build_entry(condition: str, value: Any) -> Entry:
    return Entry(condition, f", {json.dumps(value, ensure_ascii=False)}")


def _write_value(value: str) -> str:
    """The value of a dimension as a part of Fn::Sub's text."""
    return f"${{{value}}}" if isinstance(value, Ref | GetAtt) else str(value)


def use_parameter(name: str) -> str:
    """The number that a parameter of the template has, for the limit of a graph."""
    return f"#{{{name}}}#"


def show_each(
    metric: Metric,
    resources: Iterable[str],
    statistic: str,
    period: int = 60,
    *,
    conditions: Mapping[str, str] | None = None,
) -> tuple[Line, ...]:
    """A line for the metric of each resource, with the name of the resource. Some may have a condition."""
    return tuple(
        Line(
            metric.of(name, statistic, period),
            name.removesuffix("Function"),
            condition=(conditions or {}).get(name, ""),
        )
        for name in resources
    )
