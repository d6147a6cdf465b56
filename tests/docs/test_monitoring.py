"""The description of metrics and alarms is complete, and each entry of it is one that CloudWatch takes."""

import ast
import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from local.emulator.cloudwatch import metric_math
from local.emulator.cloudwatch.metric_functions import Series as Points
from ops.template import ResolvedTemplate, read_template
from tests.docs.words import ROOT
from tools.monitoring.alarms import ALARMS, COMPOSITE_ALARMS
from tools.monitoring.alarms.service_levels import BURN_MAPPING, LEVELS, WINDOWS
from tools.monitoring.dashboard import NOT_SHOWN, SECTIONS
from tools.monitoring.metrics import METRICS, OWN_METRICS
from tools.monitoring.model import Alarm, CompositeAlarm, Mapped, Series
from tools.monitoring.queries import QUERIES, Query
from tools.monitoring.runbooks import read_title
from tools.monitoring.template_block import build_alarm, build_composite_alarm
from tools.monitoring.widgets import COLUMNS, Graph, Widget, place_widgets

TEMPLATE = read_template()
# The longest value that the template takes for RunbookUrl.
LONGEST_URL = "https://" + "x" * 201


def list_needed(alarm: Alarm) -> list[int]:
    """How many periods may be needed, for any value of the parameter that decides it."""
    if isinstance(alarm.needed, Mapped):
        parameter, mapping = TEMPLATE["Parameters"][alarm.needed.parameter], TEMPLATE["Mappings"][alarm.needed.mapping]
        return [mapping[value][alarm.needed.key] for value in parameter["AllowedValues"]]
    return [] if alarm.needed is None else [alarm.needed]


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
    assert all(1 <= needed <= alarm.periods for needed in list_needed(alarm))


def test_no_alarm_is_described_twice() -> None:
    names = [*(alarm.name for alarm in ALARMS), *(alarm.name for alarm in COMPOSITE_ALARMS)]
    assert len(names) == len(set(names))


WIDGETS = place_widgets(SECTIONS)
GRAPHS = [graph for section in SECTIONS for graph in section.graphs]
SHOWN_METRICS = {line.shows.metric for graph in GRAPHS for line in graph.lines if isinstance(line.shows, Series)}


def test_every_alarm_is_on_the_dashboard_or_has_a_reason() -> None:
    shown = [alarm.name for section in SECTIONS for alarm in section.alarms]
    composite_names = [alarm.name for alarm in COMPOSITE_ALARMS]
    assert sorted(shown + list(NOT_SHOWN)) == sorted([alarm.name for alarm in ALARMS] + composite_names)


def test_every_own_metric_is_on_the_dashboard() -> None:
    assert set(OWN_METRICS) <= SHOWN_METRICS
    assert set(METRICS) >= SHOWN_METRICS


def test_every_metric_is_used() -> None:
    assert SHOWN_METRICS | {series.metric for alarm in ALARMS for series in alarm.series} == set(METRICS)


def test_widgets_stand_beside_each_other() -> None:
    taken: dict[tuple[int, int], Widget] = {}
    for widget in WIDGETS:
        assert 0 <= widget.x < widget.x + widget.width <= COLUMNS
        for column in range(widget.x, widget.x + widget.width):
            for row in range(widget.y, widget.y + widget.height):
                assert (column, row) not in taken, (widget, taken[column, row])
                taken[column, row] = widget
    rows = {row for _, row in taken}
    assert rows == set(range(max(rows) + 1))


@pytest.mark.parametrize("graph", GRAPHS, ids=lambda graph: graph.title)
def test_a_graph_can_be_shown(graph: Graph) -> None:
    assert read_title(graph.runbook)
    keys = [line.key for line in graph.lines if line.key]
    assert len(keys) == len(set(keys))
    for line in graph.lines:
        if isinstance(line.shows, Series):
            assert line.label or line.key
        else:
            assert compute_line(graph, line.shows, dict.fromkeys(keys, 1.0)) is not None
    assert any(line.label for line in graph.lines)


def compute_line(graph: Graph, formula: str, values: dict[str, float]) -> float:
    """The value of metric math at a moment at which the graph's series have these values, by key."""
    hidden = [line.key for line in graph.lines if line.key and isinstance(line.shows, Series)]
    series = {key: Points({0.0: values[key]}, 300) for key in hidden}
    [result] = metric_math.evaluate(formula, series, [0.0])
    return result.points[0.0]


@pytest.mark.parametrize(
    ("title", "label", "values", "expected"),
    [
        ("API Gateway's cache", "hit rate", {"hits": 3, "misses": 1}, 75),
        ("Read cache", "hit rate", {"hits": 1, "misses": 3}, 25),
        ("Quotas of the stream", "Bytes", {"incoming0": 150 * 300, "limit0": 300}, 50),
        ("Stream, GB an hour", "received", {"bytes": 2e9, "records": 1}, 2),
        ("Stream, GB an hour", "billed at least", {"bytes": 2e9, "records": 1e6}, 5),
        ("Stream, GB an hour", "billed at least", {"bytes": 2e9, "records": 1e3}, 2),
        ("Functions, GB-seconds an hour", "writes", {"f0": 1000, "f1": 2000, "f2": 3000}, 6),
        ("Transitions and API calls", "transitions of loads", {"batches": 60}, 120),
    ],
)
def test_a_line_shows_what_its_label_says(title: str, label: str, values: dict[str, float], expected: float) -> None:
    [graph] = [graph for graph in GRAPHS if graph.title == title]
    [formula] = [str(line.shows) for line in graph.lines if line.label == label]
    keys = [line.key for line in graph.lines]
    assert compute_line(graph, formula, dict.fromkeys(keys, 0.0) | values) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("parameters", "absent", "link"),
    [
        (
            {},
            ["no read cache", "no read cache"],
            "Requests fail with 5xx (`docs/how-to/outages.md#requests-fail-with-5xx`)",
        ),
        (
            {"ReadCache": "true", "RunbookUrl": "https://git.example.com/docs"},
            [],
            "[Requests fail with 5xx](https://git.example.com/docs/how-to/outages.md#requests-fail-with-5xx)",
        ),
        ({"DatabaseInstanceClass": "db.r7g.large"}, ["no read cache", "no CPU credits"], "docs/how-to"),
        ({"Replicas": "0"}, ["no replica of its own"], "docs/how-to"),
        ({"Replicas": "2"}, ["no read cache"], "docs/how-to"),
        ({"Replicas": "5"}, ["no read cache"], "docs/how-to"),
        ({"ProvisionDatabase": "false"}, ["`ProvisionDatabase` is false"], "docs/how-to"),
    ],
)
def test_the_dashboard_fits_the_stack(parameters: dict[str, str], absent: list[str], link: str) -> None:
    body = resolve_dashboard(parameters)
    texts = [widget["properties"]["markdown"] for widget in body["widgets"] if widget["type"] == "text"]
    assert len(body["widgets"]) == len(WIDGETS)
    assert all(any(text in line for line in texts) for text in absent)
    assert any(link in text for text in texts)
    if not absent:
        assert not any("There is no" in text or "has no" in text for text in texts)
    # What CloudWatch takes: 500 widgets, and 500 metrics in a graph, 2,500 in all.
    metrics = [widget["properties"]["metrics"] for widget in body["widgets"] if widget["type"] == "metric"]
    assert sum(map(len, metrics)) <= 2_500
    limits = [widget["properties"].get("annotations", {}).get("horizontal", []) for widget in body["widgets"]]
    assert all(isinstance(limit["value"], int | float) for limit in itertools.chain(*limits))


def substitute(text: str, values: dict[str, Any]) -> str:
    """The text with these variables, whose values may be texts with variables of their own."""
    texts = {name: value if isinstance(value, str) else substitute(*value["Fn::Sub"]) for name, value in values.items()}
    return re.sub(r"\$\{(\w+)\}", lambda match: texts.get(match[1], match[0]), text)


def resolve_dashboard(parameters: dict[str, str]) -> Any:
    """The dashboard of a stack with these parameters, as CloudFormation would put it together."""
    template = ResolvedTemplate(TEMPLATE, parameters, "sluice", "eu-west-1")
    text, values = TEMPLATE["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    text = substitute(text, {name: template.resolve(value) for name, value in values.items()})
    references = set(re.findall(r"\$\{(\w+)(?:\.\w+)?\}", text)) - set(template.parameters)
    assert references <= set(template.resources)
    return json.loads(template.resolve({"Fn::Sub": text}))


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_a_query_names_fields_that_the_logs_have(query: Query) -> None:
    assert len(query.text) <= 10_000
    code = "\n".join(path.read_text() for path in (ROOT / "src/sluice").rglob("*.py"))
    named = set(re.findall(r"\b[a-z]\w*_\w+\b", query.text))
    assert {name for name in named if not re.search(rf"\b{name}\b", code)} == set()
    groups = {name for name, resource in TEMPLATE["Resources"].items() if resource["Type"] == "AWS::Logs::LogGroup"}
    assert set(query.log_groups) <= groups


def test_the_template_alarms_on_as_many_bad_minutes_as_burn_the_budget() -> None:
    for level in LEVELS:
        for objective in TEMPLATE["Parameters"][level.objective]["AllowedValues"]:
            expected = {window.name: window.count_bad_minutes(float(objective)) for window in WINDOWS}
            assert TEMPLATE["Mappings"][BURN_MAPPING][objective] == expected


def test_a_faster_burn_or_a_stricter_objective_never_needs_more_bad_minutes() -> None:
    for window in WINDOWS:
        needed = [window.count_bad_minutes(objective) for objective in (99, 99.5, 99.9, 99.95)]
        assert needed == sorted(needed, reverse=True)
        # What burns at exactly the rate fires, and a minute less does not.
        assert needed[0] / window.minutes >= window.burn_rate / 100
        assert (needed[0] - 1) / window.minutes < window.burn_rate / 100


@pytest.mark.parametrize("alarm", COMPOSITE_ALARMS, ids=lambda alarm: alarm.name)
def test_a_composite_alarm_watches_alarms_that_notify_nobody(alarm: CompositeAlarm) -> None:
    parts = {part.name for part in ALARMS if part.is_part}
    assert {name for group in alarm.groups for name in group} <= parts
    assert build_composite_alarm(alarm)["Properties"]["AlarmActions"]


def test_each_part_belongs_to_a_composite_alarm() -> None:
    watched = {name for alarm in COMPOSITE_ALARMS for group in alarm.groups for name in group}
    assert {part.name for part in ALARMS if part.is_part} == watched


def test_the_guide_says_of_each_metric_whether_the_local_stack_collects_it() -> None:
    text = (ROOT / "docs/explanation/local-stack.md").read_text()
    others = [metric for metric in METRICS if metric.namespace != "Sluice"]
    assert len(others) > 20
    missing = set()
    for metric in others:
        # `DeliveryToS3` with `.Bytes` and `.Success` names two.
        prefix, _, suffix = metric.name.partition(".")
        is_named = f"`{metric.name}`" in text or (suffix and f"`{prefix}`" in text and f"`.{suffix}`" in text)
        if not is_named or f"`{metric.namespace}`" not in text:
            missing.add((metric.namespace, metric.name))
    assert missing == set()
