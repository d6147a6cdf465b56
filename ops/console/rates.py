"""Rates from CloudWatch's metrics: for the live picture, and for each period of a window.

A deployed stack has values per minute; a minute is complete a moment after its end. The local stack keeps the time of
each value, so shorter periods show more.
"""

import datetime

from ops.aws import Stack
from ops.console.messages import RatePoint, Rates
from ops.metrics import Metric, build_own_metric, read_sums
from ops.times import format_time

PERIOD_SECONDS, LOCAL_PERIOD_SECONDS = 60, 10
# The latest periods that are read: CloudWatch has a value a minute or two after it was sent.
PERIODS = 5
# The most points of a window. A call of GetMetricData returns at most 100,800 values.
MAX_POINTS = 500


def list_rate_metrics(stack: Stack) -> dict[str, Metric]:
    """The metrics of the rates, by the field of `Rates`."""
    api = {"ApiName": stack.name, "Stage": stack.output("StageName")}
    reads = {"FunctionName": stack.output("GetFunctionName")}
    return {
        "requests": Metric("AWS/ApiGateway", "Count", api),
        "writes_accepted": build_own_metric(stack, "WritesAccepted"),
        "writes_applied": build_own_metric(stack, "WritesApplied"),
        "reads": Metric("AWS/Lambda", "Invocations", reads),
        "errors": Metric("AWS/ApiGateway", "5XXError", api),
    }


def read_rates(stack: Stack, now: datetime.datetime) -> Rates:
    """The rates per second of the latest period that has values; None where no period has one."""
    period = LOCAL_PERIOD_SECONDS if stack.is_local else PERIOD_SECONDS
    end = _floor(now, period)
    begins = end - datetime.timedelta(seconds=PERIODS * period)
    sums = read_sums(stack, list_rate_metrics(stack), begins, end, period)
    # The fields together: a rate of this minute beside one of the last would not fit together.
    latest = max((time for series in sums.values() for time in series), default=None)
    if latest is None:
        return Rates()
    return Rates(**{name: round(series.get(latest, 0.0) / period, 3) for name, series in sums.items()})


def read_rate_points(stack: Stack, begins: datetime.datetime, ends: datetime.datetime) -> list[RatePoint]:
    """The rates of accepted and applied writes in a window, for each period with a value."""
    metrics = {name: metric for name, metric in list_rate_metrics(stack).items() if name.startswith("writes_")}
    period = choose_period((ends - begins).total_seconds())
    sums = read_sums(stack, metrics, _floor(begins, period), ends, period)
    times = sorted({time for series in sums.values() for time in series})
    accepted, applied = sums["writes_accepted"], sums["writes_applied"]
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


def _floor(time: datetime.datetime, period: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(time.timestamp() // period * period, datetime.UTC)
