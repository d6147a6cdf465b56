"""The values and functions of metric math. Source and choices: `metric_math`."""

import itertools
import math
import operator
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any


class MetricMathError(ValueError):
    """An expression that CloudWatch would refuse, or a function that is not supported here."""


@dataclass(frozen=True)
class Series:
    """Points of a metric or an expression: start of the period in epoch seconds to value.

    METRICS() lists only those with `is_metric`.
    """

    points: dict[float, float]
    period: int = 60
    name: str = ""
    is_metric: bool = True


Value = float | Series | list[Series]


def flatten(values: Iterable[Any]) -> list[Series]:
    series = [entry for value in values for entry in (value if isinstance(value, list) else [value])]
    if not all(isinstance(entry, Series) for entry in series):
        raise TypeError
    return series


def _map_series(change: Callable[[Series], Series], value: Value) -> Value:
    if isinstance(value, float):
        raise TypeError
    return change(value) if isinstance(value, Series) else [change(entry) for entry in value]


def _map_points(change: Callable[[float], float]) -> Callable[[Value], Value]:
    def change_series(series: Series) -> Series:
        points = {moment: float(change(value)) for moment, value in series.points.items()}
        return Series(points, series.period, series.name)

    return lambda value: _map_series(change_series, value)


def combine(compute: Callable[[float, float], float], left: Value, right: Value) -> Value:
    """Apply an operator. A point that one series lacks counts as 0; one that would divide by zero is dropped."""
    if isinstance(left, list) and isinstance(right, list):
        raise MetricMathError("An operator does not take two arrays of time series.")
    if isinstance(left, list):
        return [_combine_series(compute, entry, right) for entry in left]  # type: ignore[arg-type]
    if isinstance(right, list):
        return [_combine_series(compute, left, entry) for entry in right]
    if isinstance(left, float) and isinstance(right, float):
        return compute(left, right)
    return _combine_series(compute, left, right)


def _combine_series(compute: Callable[[float, float], float], left: float | Series, right: float | Series) -> Series:
    sides = [side for side in (left, right) if isinstance(side, Series)]
    moments = sorted({moment for side in sides for moment in side.points})
    points = {}
    for moment in moments:
        values = [side if isinstance(side, float) else side.points.get(moment, 0.0) for side in (left, right)]
        try:
            points[moment] = float(compute(*values))
        except (ZeroDivisionError, OverflowError, TypeError):
            continue
    return Series(points, sides[0].period, sides[0].name)


_REDUCTIONS: dict[str, Callable[[list[float]], float]] = {
    "SUM": sum,
    "AVG": statistics.fmean,
    "MIN": min,
    "MAX": max,
    "STDDEV": statistics.pstdev,
    "DATAPOINT_COUNT": len,
}


def _reduce(name: str) -> Callable[[Value], Value]:
    """Make a function of CloudWatch that gives a number for a series, and a series for an array."""

    def reduce_value(value: Value) -> Value:
        if isinstance(value, Series):
            return float(_REDUCTIONS[name](list(value.points.values()))) if value.points else 0.0
        return _reduce_array(name, flatten([value]))

    return reduce_value


def _reduce_array(name: str, array: list[Series]) -> Series:
    points = {}
    for moment in sorted({moment for entry in array for moment in entry.points}):
        values = [entry.points[moment] for entry in array if moment in entry.points]
        missing = [0.0] * (len(array) - len(values)) if name == "AVG" else []
        points[moment] = float(_REDUCTIONS[name](values + missing))
    return Series(points, array[0].period if array else 60)


def fill(timestamps: Sequence[float], value: Value, filler: float | Series | str) -> Value:
    """Give each moment without a point one: a number, or what another series, REPEAT or LINEAR says."""
    return _map_series(lambda series: _fill_series(timestamps, series, filler), value)


def _fill_series(timestamps: Sequence[float], series: Series, filler: float | Series | str) -> Series:
    points = {}
    moments = sorted(series.points)
    for moment in timestamps:
        before = [other for other in moments if other < moment] if isinstance(filler, str) else []
        if moment in series.points:
            points[moment] = series.points[moment]
        elif isinstance(filler, float):
            points[moment] = filler
        elif isinstance(filler, Series):
            points |= {moment: filler.points[moment]} if moment in filler.points else {}
        elif filler == "REPEAT" and before:
            points[moment] = series.points[before[-1]]
        elif filler == "LINEAR" and before and before[-1] != moments[-1]:
            start, end = before[-1], moments[len(before)]
            share = (moment - start) / (end - start)
            points[moment] = series.points[start] * (1 - share) + series.points[end] * share
    return Series(points, series.period, series.name)


def _choose(condition: Value, then: Value, otherwise: Value | None = None) -> Value:
    """IF: a condition's missing point gives none; a missing point of the value for true gives 0, of the other none."""
    if isinstance(condition, float):
        chosen = then if condition else otherwise
        return Series({}) if chosen is None else chosen
    if isinstance(condition, list):
        raise TypeError
    points = {}
    for moment, decision in condition.points.items():
        chosen = then if decision else otherwise
        if isinstance(chosen, float):
            points[moment] = chosen
        elif isinstance(chosen, Series) and (decision or moment in chosen.points):
            points[moment] = chosen.points.get(moment, 0.0)
    return Series(points, condition.period, condition.name)


def _compare_neighbours(compute: Callable[[float, float], float]) -> Callable[[Value], Value]:
    """Make a function that gives each point, but the first, `compute(change of the value, seconds)`."""

    def change_series(series: Series) -> Series:
        moments = sorted(series.points)
        points = {
            moment: compute(series.points[moment] - series.points[before], moment - before)
            for before, moment in itertools.pairwise(moments)
        }
        return Series(points, series.period, series.name)

    return lambda value: _map_series(change_series, value)


def _get_period(series: Series) -> float:
    return float(series.period)


# FILL is not here, because it needs the time range.
FUNCTIONS: dict[str, Callable[..., Value]] = {
    **{name: _reduce(name) for name in _REDUCTIONS},
    "IF": _choose,
    "ABS": _map_points(abs),
    "CEIL": _map_points(math.ceil),
    "FLOOR": _map_points(math.floor),
    "RATE": _compare_neighbours(operator.truediv),
    "DIFF": _compare_neighbours(lambda change, _seconds: change),
    "PERIOD": _get_period,
    "METRIC_COUNT": lambda array: float(len(array)),
    "FIRST": lambda array: array[0],
    "LAST": lambda array: array[-1],
}
