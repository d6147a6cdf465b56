"""Pages of the documentation: the reference, and the table of runbooks in `operate.md`."""

from collections.abc import Iterable

from tools.docs.markdown import NOTICE, escape_cell, format_code, format_table
from tools.monitoring.alarms import ALARMS, COMPOSITE_ALARMS
from tools.monitoring.dashboard import SECTIONS
from tools.monitoring.metrics import METRICS, OWN_METRICS
from tools.monitoring.model import Alarm, CompositeAlarm, Expression, Mapped, Metric, Series
from tools.monitoring.queries import QUERIES
from tools.monitoring.runbooks import read_title
from tools.monitoring.template_block import replace_block
from tools.monitoring.widgets import Graph, Section

BEGIN = "<!-- Generated from tools/monitoring by `make docs`: change it there. -->\n"
END = "<!-- End of the generated table. -->\n"

_ALARMS = """# Metrics and alarms

Template, dashboard and this page are generated from `tools/monitoring/`.

## Alarms

Each alarm reports to the topic `Alerts`. Its description ends with its runbook, below the address that `RunbookUrl`
names.
"""

_COMPOSITE_ALARMS = """## Composite alarms

They watch alarms of the table above that notify nobody themselves. [Service levels](../explanation/service-levels.md)
says why.
"""

_DASHBOARD = """## Dashboard

The output `DashboardUrl` leads to it. Each section begins with links to the runbooks of its widgets and ends with the
state of its alarms. Where the condition in the column *only with* is false, a sentence stands in the widget's place.
"""

_QUERIES = """## Saved queries

CloudWatch Logs Insights lists them under *Saved and sample queries*, in a folder with the stack's name. Replace what is
in capitals, and choose the time.
"""

_OWN_METRICS = """## Metrics of the functions

The functions write these metrics into the namespace `Sluice` (CloudWatch's embedded metric format), at every
`LogLevel`. Each has the dimensions `service` (`sluice`) and `stack` (the stack's name), and no other dimension set. So
two stacks of an account have different metrics, and CloudWatch bills each metric once for each stack. `ReplicaSkipped`
has the dimension `Replica` too: CloudWatch bills it for each replica that was skipped, in the hours in which it was.
"""

_AWS_METRICS = """## Metrics of AWS

What alarms and the dashboard show of AWS's own metrics.
"""


def render_reference() -> str:
    """Return the page."""
    lines = [NOTICE.format(source="tools/monitoring/"), "", _ALARMS]
    lines += format_table(
        ("alarm", "description", "metric", "in alarm when", "only with", "runbook"), map(_list_alarm_cells, ALARMS)
    )
    lines += ["", _COMPOSITE_ALARMS]
    lines += format_table(
        ("alarm", "description", "in alarm when", "only with", "runbook"),
        map(_list_composite_cells, COMPOSITE_ALARMS),
    )
    lines += ["", _DASHBOARD]
    lines += format_table(
        ("section", "widget", "metrics", "only with", "runbook"),
        (_list_graph_cells(section, graph) for section in SECTIONS for graph in section.graphs),
    )
    lines += ["", _QUERIES]
    lines += format_table(
        ("query", "answers", "log groups"),
        ((query.title, query.answers, ", ".join(map(format_code, query.log_groups))) for query in QUERIES),
    )
    lines += ["", _OWN_METRICS, *_render_metrics(OWN_METRICS)]
    others = [metric for metric in METRICS if metric not in OWN_METRICS]
    lines += ["", _AWS_METRICS, *_render_metrics(others)]
    return "\n".join(lines) + "\n"


def _list_alarm_cells(alarm: Alarm) -> tuple[str, ...]:
    metrics = ", ".join(dict.fromkeys(series.metric.name for series in alarm.series))
    return (
        format_code(alarm.name),
        escape_cell(alarm.says),
        format_code(f"{alarm.series[0].metric.namespace} {metrics}"),
        escape_cell(_format_rule(alarm)),
        *_list_common_cells(alarm),
    )


def _list_composite_cells(alarm: CompositeAlarm) -> tuple[str, ...]:
    groups = (" and ".join(map(format_code, group)) for group in alarm.groups)
    return (
        format_code(alarm.name),
        escape_cell(alarm.says),
        ", or ".join(groups),
        *_list_common_cells(alarm),
    )


def _list_graph_cells(section: Section, graph: Graph) -> tuple[str, ...]:
    shown = [line.shows.metric for line in graph.lines if isinstance(line.shows, Series)]
    return (
        section.title,
        graph.title,
        ", ".join(dict.fromkeys(format_code(f"{metric.namespace} {metric.name}") for metric in shown)),
        *_list_common_cells(graph),
    )


def _list_common_cells(entry: Alarm | CompositeAlarm | Graph) -> tuple[str, str]:
    """The condition without which it does not exist, and its runbook."""
    condition = format_code(entry.condition) if entry.condition else ""
    return condition, f"[{read_title(entry.runbook)}](../how-to/{entry.runbook})"


def _format_rule(alarm: Alarm) -> str:
    watched = alarm.watches
    value = watched.formula if isinstance(watched, Expression) else watched.statistic
    periods = f"{alarm.periods} period{'s' if alarm.periods > 1 else ''} of {alarm.series[0].period} s"
    if isinstance(alarm.needed, Mapped):
        span = f"more of {periods} than {alarm.needed.parameter} allows"
    elif alarm.needed:
        span = f"{alarm.needed} of {periods}"
    else:
        span = periods
    return f"{value} {alarm.comparison} {alarm.threshold} for {span}"


def _render_metrics(metrics: Iterable[Metric]) -> list[str]:
    names = {
        metric: metric.name if metric in OWN_METRICS else f"{metric.namespace} {metric.name}" for metric in metrics
    }
    rows = (
        (format_code(name), metric.unit, metric.description)
        for metric, name in sorted(names.items(), key=lambda entry: entry[1])
    )
    return format_table(("metric", "unit", "description"), rows)


def render_operate(page: str) -> str:
    """The text of operate.md with the table of alarms and pages."""
    names: dict[str, list[str]] = {}
    alarms: tuple[Alarm | CompositeAlarm, ...] = (*ALARMS, *COMPOSITE_ALARMS)
    for alarm in alarms:
        names.setdefault(alarm.runbook, []).append(alarm.name)
    rows = ((f"[{read_title(runbook)}]({runbook})", ", ".join(listed)) for runbook, listed in names.items())
    return replace_block(page, BEGIN, END, "\n" + "\n".join(format_table(("page", "alarms"), rows)) + "\n\n")
