"""Read the metrics of a stack from CloudWatch."""

import datetime
from dataclasses import dataclass

from ops.aws import Stack

NAMESPACE, SERVICE = "Sluice", "sluice"

Series = dict[datetime.datetime, float]  # the value of each period, by its begin


@dataclass(frozen=True)
class Metric:
    """A metric of which the sum of each period is read."""

    namespace: str
    name: str
    dimensions: dict[str, str]


def build_own_metric(stack: Stack, name: str) -> Metric:
    """A metric that the functions of a stack send."""
    return Metric(NAMESPACE, name, {"service": SERVICE, "stack": stack.name})


def read_sums(
    stack: Stack, metrics: dict[str, Metric], begins: datetime.datetime, ends: datetime.datetime, period: int
) -> dict[str, Series]:
    """The sums of metrics in each `period` (seconds), under the same keys. Raises the exceptions of botocore."""
    keys = list(metrics)
    queries = [
        {
            "Id": f"m{number}",
            "MetricStat": {
                "Metric": {
                    "Namespace": metric.namespace,
                    "MetricName": metric.name,
                    "Dimensions": [{"Name": name, "Value": value} for name, value in metric.dimensions.items()],
                },
                "Period": period,
                "Stat": "Sum",
            },
        }
        for number, metric in enumerate(metrics.values())
    ]
    sums: dict[str, Series] = {key: {} for key in keys}
    pages = (
        stack.client("cloudwatch")
        .get_paginator("get_metric_data")
        .paginate(MetricDataQueries=queries, StartTime=begins, EndTime=ends)
    )
    for page in pages:
        for result in page["MetricDataResults"]:
            key = keys[int(result["Id"][1:])]
            sums[key].update(zip(result["Timestamps"], result["Values"], strict=False))
    return sums
