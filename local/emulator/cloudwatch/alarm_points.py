"""The data points of an alarm: a statistic of each of its periods, or the result of its metric math."""

from dataclasses import dataclass
from typing import Any

from ministack.services import cloudwatch

from local.emulator.cloudwatch.metric_functions import Series
from local.emulator.cloudwatch.metric_math import evaluate_queries
from local.emulator.cloudwatch.metric_store import Sample, compute_statistic, find_samples, select_samples

Points = list[float | None]


@dataclass(frozen=True)
class Window:
    """The `count` periods of `period` seconds before `end`. A second of it lasts `scale` seconds.

    A value at the start of a period belongs to it, one at its end does not.
    """

    period: int
    count: int
    end: float
    scale: float = 1.0

    def sort_samples(self, samples: list[Sample]) -> list[list[Sample]]:
        """Return the samples of each period, the oldest period first."""
        length = self.period * self.scale
        start = self.end - self.count * length
        periods: list[list[Sample]] = [[] for _ in range(self.count)]
        for sample in select_samples(samples, start):
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
    metrics = {
        query["Id"]: [_build_series(query, starts, window)] for query in alarm["Metrics"] if "MetricStat" in query
    }
    results = evaluate_queries(alarm["Metrics"], metrics, starts)
    [returned] = [query["Id"] for query in alarm["Metrics"] if query.get("ReturnData", True) is not False]
    [series] = results[returned]
    return [series.points.get(start) for start in starts]


def _build_series(query: dict[str, Any], starts: list[float], window: Window) -> Series:
    stat = query["MetricStat"]
    values = _compute_points(stat["Metric"], stat["Stat"], stat.get("Unit"), window)
    points = {start: value for start, value in zip(starts, values, strict=True) if value is not None}
    return Series(points, window.period, query["Id"])


def _compute_points(metric: dict[str, Any], statistic: str, unit: str | None, window: Window) -> Points:
    return [compute_statistic(samples, statistic) for samples in window.sort_samples(find_samples(metric, unit))]


def has_value_above_zero(alarm: dict[str, Any], since: float) -> bool:
    """Whether the metric of an alarm has values above zero since then. It costs little if few came since then."""
    samples = select_samples(find_samples(alarm, alarm.get("Unit")), since)
    return any(cloudwatch._point_stats(sample)[3] > 0 for sample in samples)
