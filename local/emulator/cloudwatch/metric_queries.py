"""Gaps in how metrics are read.

- GetMetricData has no expressions, and its points are the oldest first whatever `ScanBy` says.
- A metric without dimensions has the values of those with dimensions. Units are ignored.
- ListMetrics ignores `RecentlyActive`.

Source: the API reference of GetMetricData, GetMetricStatistics and ListMetrics. Requests of the Query protocol, which
boto3 and the AWS CLI no longer send to CloudWatch, stay MiniStack's. All points fit in one response, up to
MaxDatapoints.
"""

import time
from collections import defaultdict
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from ministack.services import cloudwatch

from local.emulator.cloudwatch.metric_functions import MetricMathError, Series
from local.emulator.cloudwatch.metric_math import evaluate_queries
from local.emulator.cloudwatch.metric_store import Sample, compute_statistic, find_samples, select_samples
from local.emulator.patching import replace_function

_RECENTLY_ACTIVE_SECONDS = 3 * 3600
_MAX_DATAPOINTS = 100_800

_original = SimpleNamespace()


def _get_metric_data(params: Any, data: dict[str, Any], is_cbor: bool, is_json: bool = False) -> Any:
    if not (is_cbor or is_json):
        return _original.get_metric_data(params, data, is_cbor, is_json)
    queries = data.get("MetricDataQueries") or []
    start, end = cloudwatch._parse_ts(data.get("StartTime")), cloudwatch._parse_ts(data.get("EndTime"))
    if start is None or end is None or start >= end:
        return _refuse("The parameter StartTime must be less than the parameter EndTime.", is_cbor, is_json)
    try:
        results = _compute_results(queries, start, end)
    except (MetricMathError, KeyError) as error:
        return _refuse(f"Error in the metric data queries: {error}", is_cbor, is_json)
    is_ascending = data.get("ScanBy") == "TimestampAscending"
    limit = int(data.get("MaxDatapoints") or _MAX_DATAPOINTS)
    entries = []
    for query in queries:
        if query.get("ReturnData", True) is False:
            continue
        for series in results[query["Id"]]:
            moments = sorted(series.points, reverse=not is_ascending)[:limit]
            entries.append(
                {
                    "Id": query["Id"],
                    "Label": query.get("Label") or series.name or query["Id"],
                    "Timestamps": [cloudwatch._ts_iso(moment) for moment in moments],
                    "Values": [series.points[moment] for moment in moments],
                    "StatusCode": "Complete",
                }
            )
    if is_cbor:
        return cloudwatch._cbor_ok(
            {"MetricDataResults": [cloudwatch._cbor_metric_data_result(entry) for entry in entries]}
        )
    return cloudwatch._json_ok({"MetricDataResults": entries})


def _compute_results(queries: Sequence[dict[str, Any]], start: float, end: float) -> dict[str, list[Series]]:
    """Return the series of each query by its id: one, or several for an expression whose result is an array."""
    metrics = {
        query["Id"]: [_read_series(query["MetricStat"], start, end)] for query in queries if "MetricStat" in query
    }
    periods = [series.period for [series] in metrics.values()]
    period = min(periods or [int(query.get("Period") or 60) for query in queries] or [60])
    first = int(start // period) * period
    starts = [float(moment) for moment in range(first, int(-(-end // period)) * period, period)]
    return evaluate_queries(queries, metrics, starts)


def _read_series(stat: dict[str, Any], start: float, end: float) -> Series:
    period, points = int(stat["Period"]), {}
    for moment, samples in _sort_samples(stat["Metric"], stat.get("Unit"), period, start, end).items():
        value = compute_statistic(samples, stat["Stat"])
        if value is not None:
            points[moment] = value
    return Series(points, period, str(stat["Metric"]["MetricName"]))


def _sort_samples(
    metric: dict[str, Any], unit: str | None, period: int, start: float, end: float
) -> dict[float, list[Sample]]:
    """Return the samples of each period by its start, in order. The first period is the one that `start` is in."""
    periods: dict[float, list[Sample]] = defaultdict(list)
    for sample in select_samples(find_samples(metric, unit), start // period * period, end):
        periods[sample["Timestamp"] // period * period].append(sample)
    return periods


def _get_metric_statistics(params: Any, data: dict[str, Any], is_cbor: bool, is_json: bool = False) -> Any:
    if not (is_cbor or is_json):
        return _original.get_metric_statistics(params, data, is_cbor, is_json)
    start, end = cloudwatch._parse_ts(data.get("StartTime")), cloudwatch._parse_ts(data.get("EndTime"))
    if start is None or end is None or start >= end:
        return _refuse("The parameter StartTime must be less than the parameter EndTime.", is_cbor, is_json)
    statistics, extended = data.get("Statistics") or [], data.get("ExtendedStatistics") or []
    datapoints = []
    for moment, samples in _sort_samples(data, data.get("Unit"), int(data["Period"]), start, end).items():
        stats = cloudwatch._calc_stats(samples)
        point = {"Timestamp": cloudwatch._ts_iso(moment), "Unit": samples[0]["Unit"]}
        point |= {name: stats[name] for name in statistics}
        values = {name: cloudwatch._stat_value(stats, name, samples) for name in extended}
        if available := {name: value for name, value in values.items() if value is not None}:
            point["ExtendedStatistics"] = available
        datapoints.append(point)
    if is_cbor:
        datapoints = [cloudwatch._cbor_datapoint(point) for point in datapoints]
        return cloudwatch._cbor_ok({"Datapoints": datapoints, "Label": data["MetricName"]})
    return cloudwatch._json_ok({"Datapoints": datapoints, "Label": data["MetricName"]})


def _list_metrics(params: Any, data: dict[str, Any], is_cbor: bool, is_json: bool = False) -> Any:
    if not (is_cbor or is_json):
        return _original.list_metrics(params, data, is_cbor, is_json)
    oldest = time.time() - (_RECENTLY_ACTIVE_SECONDS if data.get("RecentlyActive") else cloudwatch.TWO_WEEKS_SECONDS)
    metrics = []
    for (namespace, name, _), samples in cloudwatch._metrics.items():
        if not samples or samples[-1]["Timestamp"] < oldest:
            continue
        if namespace != data.get("Namespace", namespace) or name != data.get("MetricName", name):
            continue
        dimensions = samples[-1]["Dimensions"]
        if all(_has_dimension(dimensions, wanted) for wanted in data.get("Dimensions") or []):
            pairs = [{"Name": key, "Value": value} for key, value in dimensions.items()]
            metrics.append({"Namespace": namespace, "MetricName": name, "Dimensions": pairs})
    return (cloudwatch._cbor_ok if is_cbor else cloudwatch._json_ok)({"Metrics": metrics})


def _has_dimension(dimensions: dict[str, str], wanted: dict[str, str]) -> bool:
    return wanted["Name"] in dimensions and wanted.get("Value") in {None, dimensions[wanted["Name"]]}


def _refuse(message: str, is_cbor: bool, is_json: bool) -> Any:
    return cloudwatch._error("ValidationError", message, 400, use_json=is_json, use_cbor=is_cbor)


def patch() -> None:
    _original.get_metric_data = replace_function(cloudwatch, "_get_metric_data", "bf6a8e1132a2", _get_metric_data)
    _original.get_metric_statistics = replace_function(
        cloudwatch, "_get_metric_statistics", "332ec61708c8", _get_metric_statistics
    )
    _original.list_metrics = replace_function(cloudwatch, "_list_metrics", "2464a5f77c28", _list_metrics)
