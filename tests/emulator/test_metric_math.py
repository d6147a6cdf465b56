"""Metric math: the rules and examples of CloudWatch's user guide ("Using math expressions with CloudWatch metrics")."""

from collections.abc import Sequence

import pytest

from local.emulator.cloudwatch.metric_functions import MetricMathError, Series
from local.emulator.cloudwatch.metric_math import evaluate

Points = Sequence[float | None]


def build_series(values: Points, name: str = "", *, is_metric: bool = True) -> Series:
    points = {60.0 * index: float(value) for index, value in enumerate(values) if value is not None}
    return Series(points, 60, name, is_metric)


def compute_all(expression: str, **metrics: Points) -> list[list[float | None]]:
    count = max((len(values) for values in metrics.values()), default=3)
    timestamps = [60.0 * index for index in range(count)]
    series = {name: build_series(values, name) for name, values in metrics.items()}
    return [[entry.points.get(moment) for moment in timestamps] for entry in evaluate(expression, series, timestamps)]


def compute(expression: str, **metrics: Points) -> list[float | None]:
    [values] = compute_all(expression, **metrics)
    return values


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("a + b", [3, 2, 3]),
        ("a - b", [-1, 2, -3]),
        ("10 * a", [10, 20, None]),
        # A missing divisor counts as 0, so the point is dropped.
        ("a / b", [0.5, None, 0]),
        ("b / a", [2, 0, None]),
        ("a / 0", [None, None, None]),
        ("a / PERIOD(a)", [1 / 60, 2 / 60, None]),
        ("-a + 2 ^ 3 * 2", [15, 14, None]),
        ("(1 + 2) * a", [3, 6, None]),
        ("12 / 2 / 3 * a", [2, 4, None]),
        ("a - b - 1", [-2, 1, -4]),
    ],
)
def test_a_point_that_only_one_series_has_counts_as_0_and_one_over_0_is_dropped(
    expression: str, values: Points
) -> None:
    assert compute(expression, a=[1, 2, None], b=[2, None, 3]) == values


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("metric1 < metric2", [0, 0, 1, 0]),
        ("metric1 >= 30", [1, 0, 0, 0]),
        ("metric1 > 15 AND metric2 > 15", [1, 0, 0, 0]),
        ("metric1 > 15 && metric2 > 15", [1, 0, 0, 0]),
        ("metric1 > 25 OR metric2 > 15", [1, 0, 1, 0]),
        ("metric1 > 25 || metric2 == 20", [1, 0, 1, 0]),
        ("metric1 != 20", [1, 0, 1, 1]),
        ("metric1 <= 20", [0, 1, 1, 1]),
        ("metric2 == 20", [1, None, 1, None]),
    ],
)
def test_comparisons_result_in_1_or_0(expression: str, values: Points) -> None:
    assert compute(expression, metric1=[30, 20, 0, 0], metric2=[20, None, 20, None]) == values


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("IF(metric1, metric2, metric3)", [30, 0, 20, None, None]),
        ("IF(metric1, metric2)", [30, 0, None, None, None]),
        ("IF(metric1, 5, metric3)", [5, 5, 20, None, None]),
        ("IF(metric1, metric2, 5)", [30, 0, 5, 5, None]),
        ("IF(metric1 > 0, 1, 0)", [1, 1, 0, 0, None]),
        ("IF(1 > 2, metric2, metric3)", [0, 0, 20, None, 20]),
        ("IF(2 > 1, metric2)", [30, None, 0, 0, 30]),
    ],
)
def test_if_chooses_for_each_point(expression: str, values: Points) -> None:
    metric1: Points = [1, 1, 0, 0, None]
    metric2: Points = [30, None, 0, 0, 30]
    metric3: Points = [0, 0, 20, None, 20]
    assert compute(expression, metric1=metric1, metric2=metric2, metric3=metric3) == values


def test_if_replaces_the_values_of_a_broken_replication() -> None:
    assert compute("IF(lag < 0, 86400, lag)", lag=[-1, 5, None]) == [86400, 5, None]


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("FILL(a, 7)", [7, 1, 7, 7, 4, 7]),
        ("FILL(a, REPEAT)", [None, 1, 1, 1, 4, 4]),
        ("FILL(a, LINEAR)", [None, 1, 2, 3, 4, None]),
        ("FILL(a, b)", [9, 1, 9, None, 4, 9]),
        ("FILL(a, MIN(a))", [1, 1, 1, 1, 4, 1]),
        ("FILL(a, 0) / FILL(b, 1)", [0, 1 / 9, 0, 0, 4 / 9, 0]),
        ("FILL(empty, 0)", [0, 0, 0, 0, 0, 0]),
        ("TIME_SERIES(3)", [3, 3, 3, 3, 3, 3]),
    ],
)
def test_fill_gives_every_period_of_the_range_a_value(expression: str, values: Points) -> None:
    a: Points = [None, 1, None, None, 4, None]
    b: Points = [9, 9, 9, None, 9, 9]
    assert compute(expression, a=a, b=b, empty=[None] * 6) == pytest.approx(values)


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("SUM(METRICS())", [5, 2, 3]),
        ("SUM([a, b])", [5, 2, 3]),
        ("AVG([a, b])", [2.5, 1, 1.5]),
        ("MAX([a, b])", [4, 2, 3]),
        ("MIN(METRICS())", [1, 2, 3]),
        ("SUM(METRICS('b'))", [4, None, 3]),
        ('SUM(METRICS("a")) / SUM(METRICS())', [0.2, 1, 0]),
        ("SUM([METRICS('a'), METRICS('b')])", [5, 2, 3]),
        ("SUM(100 / [a, b])", [125, 50, 100 / 3]),
        ("DATAPOINT_COUNT([a, b])", [2, 1, 1]),
        ("a / SUM(a)", [1 / 3, 2 / 3, None]),
        ("a - MIN(a)", [0, 1, None]),
        ("a / MAX(a)", [0.5, 1, None]),
        ("a - AVG(a)", [-0.5, 0.5, None]),
        ("a / METRIC_COUNT(METRICS())", [0.5, 1, None]),
        ("LAST(METRICS()) * 2", [8, None, 6]),
    ],
)
def test_a_function_of_an_array_gives_a_series_and_one_of_a_series_gives_a_number(
    expression: str, values: Points
) -> None:
    assert compute(expression, a=[1, 2, None], b=[4, None, 3]) == pytest.approx(values)


def test_an_array_can_be_the_result() -> None:
    assert compute_all("METRICS() * 100", a=[1, 2], b=[None, 3]) == [[100, 200], [None, 300]]


def test_metrics_does_not_list_expressions() -> None:
    series = {"a": build_series([1, 2], "a"), "e": build_series([10, 10], "e", is_metric=False)}
    [total] = evaluate("SUM(METRICS())", series, [0.0, 60.0])
    assert total.points == {0.0: 1.0, 60.0: 2.0}
    [sum_of_both] = evaluate("a + e", series, [0.0, 60.0])
    assert sum_of_both.points == {0.0: 11.0, 60.0: 12.0}
    assert not sum_of_both.is_metric


def test_rate_and_diff_compare_with_the_point_before() -> None:
    assert compute("RATE(a)", a=[60, 120, None, 60]) == [None, 1, None, -0.5]
    assert compute("DIFF(a)", a=[60, 120, None, 60]) == [None, 60, None, -60]


def test_functions_of_single_points() -> None:
    assert compute("ABS(a)", a=[-1.5, 2]) == [1.5, 2]
    assert compute("CEIL(a) + FLOOR(a)", a=[-1.5, 2]) == [-3, 4]


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("1 + 2", "is a number"),
        ("AVG(a)", "is a number"),
        ("a +", "has 'an end'"),
        ("a a", "has 'a'"),
        ("a ? b", "at position 1"),
        ("missing", "no id"),
        ("SORT(METRICS())", "SORT is not supported"),
        ("RATE(1)", "calls RATE"),
        ("FILL(a)", "calls FILL"),
        ("METRICS() * METRICS()", "two arrays"),
    ],
)
def test_an_expression_that_cloudwatch_would_refuse_raises(expression: str, said: str) -> None:
    with pytest.raises(MetricMathError, match=said):
        compute(expression, a=[1, 2])
