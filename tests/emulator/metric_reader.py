"""Read what the local CloudWatch has stored of a metric."""

import datetime
from typing import Any

from testkit.emulator_harness import Emulator


class MetricReader:
    def __init__(self, emulator: Emulator) -> None:
        self.cloudwatch = emulator.client("cloudwatch")

    def read(self, metric: str, statistic: str = "Sum", **dimensions: str) -> float | None:
        """The statistic of a metric, `<namespace>:<name>`, over the last and the next hour, or None without a value."""
        points = self._read_points(metric, [statistic], dimensions)
        assert len(points) <= 1
        return points[0][statistic] if points else None

    def read_unit(self, metric: str, **dimensions: str) -> str:
        [point] = self._read_points(metric, ["Sum"], dimensions)
        return str(point["Unit"])

    def _read_points(self, metric: str, statistics: list[str], dimensions: dict[str, str]) -> list[dict[str, Any]]:
        namespace, _, name = metric.partition(":")
        # One period of 100 days, which a run can meet the end of once in that time.
        now = datetime.datetime.now(datetime.UTC)
        points: list[dict[str, Any]] = self.cloudwatch.get_metric_statistics(
            Namespace=namespace,
            MetricName=name,
            Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
            StartTime=now - datetime.timedelta(hours=1),
            EndTime=now + datetime.timedelta(hours=1),
            Period=8_640_000,
            Statistics=statistics,
        )["Datapoints"]
        return points
