"""Rates from CloudWatch's metrics: for the live picture, and for each period of a window.

A deployed stack has values per minute; a minute is complete a moment after its end. The local stack keeps the time of
each value, so shorter periods show more.
"""

import datetime
from dataclasses import dataclass
from typing import Any

from ops.aws import Stack
from ops.console.messages import RatePoint, Rates
from ops.times import format_time

NAMESPACE, SERVICE = "Sluice", "sluice"
PERIOD_SECONDS, LOCAL_PERIOD_SECONDS = 60, 10
# The latest periods that are read: CloudWatch has a value a minute or two after it was sent.
PERIODS = 5
# Values of one call of GetMetricData are at most 100,800; a window has at most so many points.
MAX_POINTS = 500


@dataclass(frozen=True)
class Metric:
    """A metric of a stack. `scale` converts its sum."""

    namespace: str
    name: str
    dimensions: dict[str, str]
    statistic: str = "Sum"


def list_rate_metrics(stack: Stack) -> dict[str, Metric]:
    """The metrics of the rates, by the field of `Rates`."""
    api = {"ApiName": stack.name, "Stage": stack.output("StageName")}
    own = {"service": SERVICE, "stack": stack.name}
    reads = {"FunctionName": stack.output("GetFunctionName")}
    return {
        "requests": Metric("AWS/ApiGateway", "Count", api),
        "writes_accepted": Metric(NAMESPACE, "WritesAccepted", own),
        "writes_applied": Metric(NAMESPACE, "WritesApplied", own),
        "reads": Metric("AWS/Lambda", "Invocations", reads),
        "errors": Metric("AWS/ApiGateway", "5XXError", api),
    }


def read_rates(stack: Stack, now: datetime.datetime) -> Rates:
    """The rates per second of the latest period that has values; None where no period has one."""
    period = LOCAL_PERIOD_SECONDS if stack.is_local else PERIOD_SECONDS
    end = _floor(now, period)
    values = read_values(
        stack, list_rate_metrics(stack), end - datetime.timedelta(seconds=PERIODS * period), end, period
    )
    # The fields together: a rate of this minute beside one of the last would not fit together.
    latest = max((time for series in values.values() for time in series), default=None)
    if latest is None:
        return Rates()
    return Rates(**{name: round(series.get(latest, 0.0) / period, 3) for name, series in values.items()})


def read_rate_points(stack: Stack, begins: datetime.datetime, ends: datetime.datetime) -> list[RatePoint]:
    """The rates of accepted and applied writes in a window, for each period with a value."""
    metrics = {name: metric for name, metric in list_rate_metrics(stack).items() if name.startswith("writes_")}
    period = choose_period((ends - begins).total_seconds())
    values = read_values(stack, metrics, _floor(begins, period), ends, period)
    times = sorted({time for series in values.values() for time in series})
    accepted, applied = values["writes_accepted"], values["writes_applied"]
    return [
        RatePoint(
            format_time(time), round(accepted.get(time, 0.0) / period, 3), round(applied.get(time, 0.0) / period, 3)
        )
        for time in times
    ]


def choose_period(seconds: float) -> int:
    """The shortest period, in whole minutes, for which a window has at most MAX_POINTS points."""
    minutes = max(1, -(-round(seconds) // (60 * MAX_POINTS)))
    return 60 * minutes


def read_values(
    stack: Stack, metrics: dict[str, Metric], begins: datetime.datetime, ends: datetime.datetime, period: int
) -> dict[str, dict[datetime.datetime, float]]:
    """The values of metrics by time, for each name. Raises the exceptions of botocore."""
    names = list(metrics)
    queries = [_build_query(f"m{number}", metrics[name], period) for number, name in enumerate(names)]
    values: dict[str, dict[datetime.datetime, float]] = {name: {} for name in names}
    pages = (
        stack.client("cloudwatch")
        .get_paginator("get_metric_data")
        .paginate(MetricDataQueries=queries, StartTime=begins, EndTime=ends)
    )
    for page in pages:
        for result in page["MetricDataResults"]:
            name = names[int(result["Id"][1:])]
            values[name].update(zip(result["Timestamps"], result["Values"], strict=False))
    return values


def _build_query(identifier: str, metric: Metric, period: int) -> dict[str, Any]:
    dimensions = [{"Name": name, "Value": value} for name, value in metric.dimensions.items()]
    return {
        "Id": identifier,
        "MetricStat": {
            "Metric": {"Namespace": metric.namespace, "MetricName": metric.name, "Dimensions": dimensions},
            "Period": period,
            "Stat": metric.statistic,
        },
    }


def _floor(time: datetime.datetime, period: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(time.timestamp() // period * period, datetime.UTC)
