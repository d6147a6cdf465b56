"""What a dashboard consists of, where each widget stands, and the JSON that CloudWatch takes.

The rules of the JSON: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

import json
import math
from collections.abc import Iterable, Iterator, Sequence
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
    "OwnDatabase": "`ProvisionDatabase` is false: the existing database has monitoring of its own.",
    "BurstableDatabase": "The class of the database has no CPU credits.",
    "Cached": "`ReadCache` is false: there is no read cache.",
    "Restorable": "`PrimaryInstance` is empty: the stack does not know an RDS instance to restore.",
    "BackupsProven": "`BackupProof` is none: no backup is restored and compared.",
    "OwnCache": "The stack has no read cache of its own.",
    "CanaryDeployed": "`Canary` is off: no service level is measured.",
    "CanaryScheduled": "`Canary` is not scheduled: no service level is measured.",
}


@dataclass(frozen=True)
class Line:
    """A line of a graph: a series, or metric math on the keys of the graph's other lines. A hidden one has no label."""

    shows: Series | str
    label: str = ""
    key: str = ""


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
class Widget:
    """A widget at its place, in columns and rows from the top left."""

    kind: str
    x: int
    y: int
    width: int
    height: int
    properties: dict[str, Any]
    condition: str = ""

    def encode(self) -> str:
        """The JSON of the widget, in one line. `${…}` in it is for Fn::Sub."""
        place = {"x": self.x, "y": self.y, "width": self.width, "height": self.height}
        text = json.dumps({"type": self.kind, **place, "properties": self.properties}, ensure_ascii=False)
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
        yield Widget("metric", x, y, graph.width, graph.height, build_graph(graph), graph.condition)
        x, row_height = x + graph.width, max(row_height, graph.height)
    yield from _place_alarms(section, y + row_height)


def _place_alarms(section: Section, y: int) -> Iterator[Widget]:
    """The grids of alarms below the graphs: one for each condition, side by side."""
    names: dict[str, list[str]] = {}
    for alarm in section.alarms:
        names.setdefault(alarm.condition, []).append(alarm.name)
    width = COLUMNS // max(1, len(names))
    lines = max((math.ceil(len(alarms) * _ALARM_WIDTH / width) for alarms in names.values()), default=0)
    for number, (condition, alarms) in enumerate(names.items()):
        properties = {"title": f"Alarms: {section.title.lower()}", "alarms": [f"${{{name}.Arn}}" for name in alarms]}
        yield Widget("alarm", number * width, y, width, 1 + lines, properties, condition)


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
        "metrics": [_build_line(line) for line in graph.lines],
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


def _write_value(value: str) -> str:
    """The value of a dimension as a part of Fn::Sub's text."""
    return f"${{{value}}}" if isinstance(value, Ref | GetAtt) else str(value)


def use_parameter(name: str) -> str:
    """The number that a parameter of the template has, for the limit of a graph."""
    return f"#{{{name}}}#"


def show_each(metric: Metric, resources: Iterable[str], statistic: str, period: int = 60) -> tuple[Line, ...]:
    """A line for the metric of each resource, with the name of the resource."""
    return tuple(Line(metric.of(name, statistic, period), name.removesuffix("Function")) for name in resources)
