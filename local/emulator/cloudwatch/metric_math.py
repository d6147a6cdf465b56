"""Metric math, as GetMetricData and alarms of CloudWatch compute it.

Source: "Using math expressions with CloudWatch metrics" in the CloudWatch user guide. What it leaves open is chosen
here: MIN and MAX of several series look at the points that exist. FILL also fills a series without any point, except
with REPEAT before the first point and with LINEAR before the first and after the last one.
"""

import itertools
import math
import operator
import re
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
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

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)|(?P<name>[A-Za-z]\w*)|(?P<text>\"[^\"]*\"|'[^']*')"
    r"|(?P<sign>&&|\|\||[=!<>]=|[-+*/^<>()\[\],]))"
)
_LEVELS: list[dict[str, Callable[[float, float], float]]] = [
    {"OR": lambda left, right: float(bool(left) or bool(right))},
    {"AND": lambda left, right: float(bool(left) and bool(right))},
    {
        "==": lambda left, right: float(left == right),
        "!=": lambda left, right: float(left != right),
        "<=": lambda left, right: float(left <= right),
        ">=": lambda left, right: float(left >= right),
        "<": lambda left, right: float(left < right),
        ">": lambda left, right: float(left > right),
    },
    {"+": operator.add, "-": operator.sub},
    {"*": operator.mul, "/": operator.truediv},
    {"^": operator.pow},
]
_SYNONYMS = {"&&": "AND", "||": "OR"}
# A word, such as REPEAT, and not a value.
_WORDS = {"REPEAT", "LINEAR", "ASC", "DESC"}


def evaluate(expression: str, series: Mapping[str, Series], timestamps: Sequence[float]) -> list[Series]:
    """Return the series of an expression: one, or several if it results in an array.

    `series` has the metrics and the results of other expressions by id. `timestamps` are the starts of all periods of
    the time range, in order: FILL and TIME_SERIES give each a value. Raises MetricMathError.
    """
    result = _Evaluation(expression, series, timestamps).evaluate()
    if isinstance(result, float):
        raise MetricMathError(f"The result of {expression!r} is a number and not a time series.")
    results = [result] if isinstance(result, Series) else result
    return [Series(entry.points, entry.period, entry.name, is_metric=False) for entry in results]


@dataclass
class _Evaluation:
    expression: str
    series: Mapping[str, Series]
    timestamps: Sequence[float]
    tokens: list[str] = field(default_factory=list)

    def evaluate(self) -> Value:
        position = 0
        while position < len(self.expression.rstrip()):
            match = _TOKEN.match(self.expression, position)
            if not match:
                raise MetricMathError(f"{self.expression!r} is not an expression at position {position}.")
            self.tokens.append(match.group(match.lastgroup or 0))
            position = match.end()
        result = self._read(0)
        if self.tokens:
            raise self._unexpected()
        return result

    def _unexpected(self) -> MetricMathError:
        return MetricMathError(f"{self.expression!r} has {self._peek() or 'an end'!r} where it must not be.")

    def _peek(self) -> str:
        return self.tokens[0] if self.tokens else ""

    def _accept(self, *signs: str) -> str:
        sign = _SYNONYMS.get(self._peek(), self._peek())
        if sign not in signs:
            return ""
        self.tokens.pop(0)
        return sign

    def _expect(self, sign: str) -> None:
        if not self._accept(sign):
            raise self._unexpected()

    def _read(self, level: int) -> Value:
        if level == len(_LEVELS):
            return self._read_operand()
        value = self._read(level + 1)
        while sign := self._accept(*_LEVELS[level]):
            value = _combine(_LEVELS[level][sign], value, self._read(level + 1))
        return value

    def _read_operand(self) -> Value:
        if self._accept("-"):
            return _combine(operator.mul, -1.0, self._read(len(_LEVELS) - 1))
        if self._accept("("):
            value = self._read(0)
            self._expect(")")
            return value
        if self._accept("["):
            return _flatten(self._read_list("]"))
        if not self.tokens or not re.match(r"[\w.]", self._peek()):
            raise self._unexpected()
        token = self.tokens.pop(0)
        if not token[0].isalpha():
            return float(token)
        if self._accept("("):
            return self._call(token)
        if token not in self.series:
            raise MetricMathError(f"{self.expression!r} names {token!r}, which is no id of a metric or an expression.")
        return self.series[token]

    def _read_list(self, end: str) -> list[Any]:
        values: list[Any] = []
        if self._accept(end):
            return values
        while True:
            is_word = self._peek() in _WORDS or self._peek()[:1] in ("'", '"')
            values.append(self.tokens.pop(0) if is_word else self._read(0))
            if self._accept(end):
                return values
            self._expect(",")

    def _call(self, name: str) -> Value:
        arguments = self._read_list(")")
        if name == "METRICS":
            part = arguments[0][1:-1] if arguments else ""
            return [entry for name, entry in self.series.items() if entry.is_metric and part in name]
        if name == "TIME_SERIES":
            return Series(dict.fromkeys(self.timestamps, arguments[0]))
        try:
            if name in _REDUCTIONS:
                return self._reduce(name, *arguments)
            if name == "FILL":
                return _map_series(lambda series: self._fill(series, arguments[1]), arguments[0])
            return _FUNCTIONS[name](*arguments)
        except KeyError:
            raise MetricMathError(f"The function {name} is not supported by the local CloudWatch.") from None
        except (TypeError, IndexError, AttributeError):
            raise MetricMathError(f"{self.expression!r} calls {name} with arguments that it does not take.") from None

    def _reduce(self, name: str, value: Value) -> Value:
        if isinstance(value, Series):
            return float(_REDUCTIONS[name](list(value.points.values()))) if value.points else 0.0
        return _reduce_array(name, _flatten([value]))

    def _fill(self, series: Series, filler: Any) -> Series:
        points = {}
        known = sorted(series.points)
        for moment in self.timestamps:
            before = [other for other in known if other < moment] if isinstance(filler, str) else []
            if moment in series.points:
                points[moment] = series.points[moment]
            elif isinstance(filler, float):
                points[moment] = filler
            elif isinstance(filler, Series):
                points |= {moment: filler.points[moment]} if moment in filler.points else {}
            elif filler == "REPEAT" and before:
                points[moment] = series.points[before[-1]]
            elif filler == "LINEAR" and before and before[-1] != known[-1]:
                start, end = before[-1], known[len(before)]
                share = (moment - start) / (end - start)
                points[moment] = series.points[start] * (1 - share) + series.points[end] * share
        return Series(points, series.period, series.name)


def _flatten(values: Iterable[Any]) -> list[Series]:
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


def _combine(compute: Callable[[float, float], float], left: Value, right: Value) -> Value:
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


def _reduce_array(name: str, array: list[Series]) -> Series:
    points = {}
    for moment in sorted({moment for entry in array for moment in entry.points}):
        values = [entry.points[moment] for entry in array if moment in entry.points]
        missing = [0.0] * (len(array) - len(values)) if name == "AVG" else []
        points[moment] = float(_REDUCTIONS[name](values + missing))
    return Series(points, array[0].period if array else 60)


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


_FUNCTIONS: dict[str, Callable[..., Value]] = {
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
