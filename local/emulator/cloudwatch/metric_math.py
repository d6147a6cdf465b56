"""Metric math, as GetMetricData and alarms of CloudWatch compute it.

Source: "Using math expressions with CloudWatch metrics" in the CloudWatch user guide. What it leaves open is chosen
here: MIN and MAX of several series look at the points that exist. FILL also fills a series without any point, except
with REPEAT before the first point and with LINEAR before the first and after the last one.
"""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from local.emulator.cloudwatch.metric_functions import FUNCTIONS, MetricMathError, Series, Value, combine, fill, flatten

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


def evaluate_queries(
    queries: Sequence[Mapping[str, Any]], metrics: Mapping[str, list[Series]], timestamps: Sequence[float]
) -> dict[str, list[Series]]:
    """Return the series of queries by their ids: those of `metrics`, and those of the queries with an expression.

    An expression may use the result of a later one, but not an array of series. Raises MetricMathError.
    """
    results = dict(metrics)
    pending = [query for query in queries if query["Id"] not in metrics]
    while pending:
        ready = [query for query in pending if not _uses_any(query, pending)]
        if not ready:
            raise MetricMathError("The expressions use each other's results in a circle.")
        for query in ready:
            single = {identifier: series[0] for identifier, series in results.items() if len(series) == 1}
            results[query["Id"]] = evaluate(query["Expression"], single, timestamps)
        pending = [query for query in pending if query not in ready]
    return results


def _uses_any(query: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the expression of a query needs the result of one of the others."""
    words = set(re.findall(r"\w+", query["Expression"]))
    return any(other["Id"] in words for other in others)


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
            value = combine(_LEVELS[level][sign], value, self._read(level + 1))
        return value

    def _read_operand(self) -> Value:
        if self._accept("-"):
            return combine(operator.mul, -1.0, self._read(len(_LEVELS) - 1))
        if self._accept("("):
            value = self._read(0)
            self._expect(")")
            return value
        if self._accept("["):
            return flatten(self._read_list("]"))
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
            return [entry for identifier, entry in self.series.items() if entry.is_metric and part in identifier]
        if name == "TIME_SERIES":
            return Series(dict.fromkeys(self.timestamps, arguments[0]))
        try:
            return fill(self.timestamps, *arguments) if name == "FILL" else FUNCTIONS[name](*arguments)
        except KeyError:
            raise MetricMathError(f"The function {name} is not supported by the local CloudWatch.") from None
        except (TypeError, IndexError, AttributeError):
            raise MetricMathError(f"{self.expression!r} calls {name} with arguments that it does not take.") from None
