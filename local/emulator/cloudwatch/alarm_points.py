"""The data points of an alarm: a statistic of each of its periods, or the result of its metric math."""

import bisect
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ministack.services import cloudwatch

from local.emulator.cloudwatch.metric_functions import MetricMathError, Series
from local.emulator.cloudwatch.metric_math import evaluate

Points = list[float | None]
Samples = list[dict[str, Any]]


@dataclass(frozen=True)
class Window:
    """The `count` periods of `period` seconds before `end`. A second of it lasts `scale` seconds.

    A value at the start of a period belongs to it, one at its end does not.
    """

    period: int
    count: int
    end: float
    scale: float = 1.0

    def sort_samples(self, samples: Samples) -> list[Samples]:
        """Return the samples of each period, the oldest period first."""
        length = self.period * self.scale
        start = self.end - self.count * length
        periods: list[Samples] = [[] for _ in range(self.count)]
        for sample in samples[bisect.bisect_left(samples, start, key=_get_timestamp) :]:
            index = int((sample["Timestamp"] - start) // length)
            if 0 <= index < self.count:
                periods[index].append(sample)
        return periods


def read_points(alarm: dict[str, Any], window: Window) -> Points:
    """Return a point for each period, the oldest first. Raises MetricMathError."""
    if not alarm.get("Metrics"):
        statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average"
        return _compute_points(alarm, statistic, alarm.get("Unit"), window)
    # Metric math sees the times that the alarm's settings have: RATE must not depend on the scale.
    starts = [float(window.period * index) for index in range(window.count)]
    results = _compute_queries(alarm["Metrics"], starts, window)
    [returned] = [query["Id"] for query in alarm["Metrics"] if query.get("ReturnData", True) is not False]
    return [results[returned].points.get(start) for start in starts]


def _compute_queries(
    queries: Sequence[dict[str, Any]], starts: Sequence[float], window: Window
) -> Mapping[str, Series]:
    results: dict[str, Series] = {}
    expressions = [query for query in queries if "MetricStat" not in query]
    for query in queries:
        if query not in expressions:
            stat = query["MetricStat"]
            values = _compute_points(stat["Metric"], stat["Stat"], stat.get("Unit"), window)
            points = {start: value for start, value in zip(starts, values, strict=True) if value is not None}
            results[query["Id"]] = Series(points, window.period, query["Id"])
    while expressions:
        # An expression may use the result of a later one.
        ready = [query for query in expressions if not uses_any(query, expressions)]
        if not ready:
            raise MetricMathError("The expressions of an alarm use each other's results in a circle.")
        for query in ready:
            [results[query["Id"]]] = evaluate(query["Expression"], results, starts)
        expressions = [query for query in expressions if query not in ready]
    return results


def uses_any(query: dict[str, Any], others: Sequence[dict[str, Any]]) -> bool:
    """Whether the expression of a query needs the result of one of the others."""
    words = set("".join(sign if sign.isalnum() or sign == "_" else " " for sign in query["Expression"]).split())
    return any(other["Id"] in words for other in others)


def _compute_points(metric: dict[str, Any], statistic: str, unit: str | None, window: Window) -> Points:
    return [
        cloudwatch._stat_value(cloudwatch._calc_stats(samples), statistic, samples) if samples else None
        for samples in window.sort_samples(find_samples(metric, unit))
    ]


def has_value_above_zero(alarm: dict[str, Any], since: float) -> bool:
    """Whether the metric of an alarm has values above zero since then. It costs little if few came since then."""
    samples = find_samples(alarm, alarm.get("Unit"))
    first = bisect.bisect_left(samples, since, key=_get_timestamp)
    return any(cloudwatch._point_stats(sample)[3] > 0 for sample in samples[first:])


def find_samples(metric: dict[str, Any], unit: str | None) -> Samples:
    """Return the values that were recorded for a metric, by time."""
    dimensions = cloudwatch._dims_key(cloudwatch._dims_from_list(metric.get("Dimensions") or []))
    samples: Samples = cloudwatch._metrics.get((metric["Namespace"], metric["MetricName"], dimensions)) or []
    return [sample for sample in samples if sample["Unit"] == unit] if unit else samples


_get_timestamp = operator.itemgetter("Timestamp")
