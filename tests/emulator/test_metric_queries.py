"""Metrics are read as the CloudWatch API returns them."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from testkit.emulator_harness import Emulator


@pytest.fixture(scope="module")
def minute(emulator: Emulator) -> float:
    """The start of a minute, with values in it and in the next two."""
    start = time.time() // 60 * 60 - 600
    data = [
        {"MetricName": "Asked", "Value": value, "Timestamp": start + seconds}
        for seconds, value in ((130, 9.0), (5, 10.0), (65, 20.0), (70, 40.0))
    ]
    data += [{"MetricName": "Failed", "Value": 5.0, "Timestamp": start + 61, "Unit": "Count"}]
    data += [
        {"MetricName": "Asked", "Value": 1000.0, "Timestamp": start, "Dimensions": [{"Name": "of", "Value": "one"}]}
    ]
    data += [{"MetricName": "Slow", "Values": [10.0, 20.0], "Counts": [98.0, 2.0], "Timestamp": start}]
    emulator.client("cloudwatch").put_metric_data(Namespace="Queried", MetricData=data)
    return start


def _build_query(identifier: str, name: str, statistic: str = "Sum", **more: Any) -> dict[str, Any]:
    metric = {"Namespace": "Queried", "MetricName": name, "Dimensions": more.pop("dimensions", [])}
    stat = {"Metric": metric, "Period": 60, "Stat": statistic}
    return {"Id": identifier, "MetricStat": stat | ({"Unit": more.pop("unit")} if "unit" in more else {}), **more}


def _ask(emulator: Emulator, start: float, *queries: dict[str, Any], **more: Any) -> dict[str, dict[float, float]]:
    answer = emulator.client("cloudwatch").get_metric_data(
        MetricDataQueries=list(queries), StartTime=start, EndTime=start + 180, **more
    )
    return {
        result["Id"]: {
            moment.timestamp() - start: value
            for moment, value in zip(result["Timestamps"], result["Values"], strict=True)
        }
        for result in answer["MetricDataResults"]
    }


def test_metric_math_is_computed_and_hidden_queries_are_left_out(emulator: Emulator, minute: float) -> None:
    results = _ask(
        emulator,
        minute,
        {"Id": "share", "Expression": "rate * 100"},
        {"Id": "rate", "Expression": "FILL(failed, 0) / asked", "ReturnData": False},
        _build_query("asked", "Asked"),
        _build_query("failed", "Failed", ReturnData=False),
    )
    assert results == {
        "share": {0: 0, 60: pytest.approx(5 / 60 * 100), 120: 0},
        "asked": {0: 10, 60: 60, 120: 9},
    }


@pytest.mark.parametrize(
    ("queries", "said"),
    [
        ([{"Id": "a", "Expression": "b + 1"}, {"Id": "b", "Expression": "a + 1"}], "circle"),
        ([{"Id": "a", "Expression": "unknown + 1"}], "unknown"),
        ([{"Id": "a", "Expression": "1 +"}], "has"),
    ],
    ids=["circle", "unknown", "syntax"],
)
def test_a_wrong_expression_is_refused(
    emulator: Emulator, minute: float, queries: list[dict[str, Any]], said: str
) -> None:
    with pytest.raises(ClientError, match=said) as caught:
        _ask(emulator, minute, *queries)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_the_newest_point_is_the_first_unless_asked_otherwise(emulator: Emulator, minute: float) -> None:
    query = _build_query("asked", "Asked")
    assert list(_ask(emulator, minute, query)["asked"]) == [120, 60, 0]
    assert list(_ask(emulator, minute, query, ScanBy="TimestampAscending")["asked"]) == [0, 60, 120]
    assert list(_ask(emulator, minute, query, MaxDatapoints=1)["asked"]) == [120]


def test_a_metric_is_its_exact_dimensions_and_its_unit(emulator: Emulator, minute: float) -> None:
    one = [{"Name": "of", "Value": "one"}]
    results = _ask(
        emulator,
        minute,
        _build_query("one", "Asked", dimensions=one),
        _build_query("counted", "Failed", unit="Count"),
        _build_query("timed", "Failed", unit="Seconds"),
    )
    assert results == {"one": {0: 1000}, "counted": {60: 5}, "timed": {}}


def test_percentiles_and_other_statistics(emulator: Emulator, minute: float) -> None:
    names = {"p50": "p50", "p99": "p99", "sum": "Sum", "mean": "Average", "count": "SampleCount"}
    results = _ask(emulator, minute, *(_build_query(name, "Slow", stat) for name, stat in names.items()))
    assert {name: values[0] for name, values in results.items()} == {
        "p50": 10,
        "p99": 20,
        "sum": 1020,
        "mean": 10.2,
        "count": 100,
    }
    [point] = emulator.client("cloudwatch").get_metric_statistics(
        Namespace="Queried",
        MetricName="Slow",
        StartTime=minute,
        EndTime=minute + 60,
        Period=60,
        Statistics=["Maximum"],
        ExtendedStatistics=["p99"],
    )["Datapoints"]
    assert (point["Maximum"], point["ExtendedStatistics"]) == (20, {"p99": 20})
    assert point["Timestamp"].timestamp() == minute


def test_metrics_are_listed(emulator: Emulator, minute: float) -> None:
    cloudwatch = emulator.client("cloudwatch")

    def list_names(**filters: Any) -> list[tuple[str, list[Any]]]:
        metrics = cloudwatch.list_metrics(Namespace="Queried", **filters)["Metrics"]
        return sorted((metric["MetricName"], metric["Dimensions"]) for metric in metrics)

    one = {"Name": "of", "Value": "one"}
    assert list_names() == [("Asked", []), ("Asked", [one]), ("Failed", []), ("Slow", [])]
    assert list_names(MetricName="Slow") == [("Slow", [])]
    assert list_names(Dimensions=[{"Name": "of"}]) == list_names(Dimensions=[one]) == [("Asked", [one])]
    old = {"MetricName": "Old", "Value": 1.0, "Timestamp": minute - 4 * 3600}
    cloudwatch.put_metric_data(Namespace="Queried", MetricData=[old])
    assert ("Old", []) in list_names()
    assert ("Old", []) not in list_names(RecentlyActive="PT3H")


def test_metrics_survive_a_restart(start: Callable[[], Emulator]) -> None:
    first = start()
    moment = time.time() // 60 * 60 - 120
    data = [{"MetricName": "Kept", "Values": [5.0, 5.05], "Counts": [3.0, 1.0], "Timestamp": moment}]
    first.client("cloudwatch").put_metric_data(Namespace="Queried", MetricData=data)
    first.stop()
    second = start()
    results = _ask(second, moment, _build_query("sum", "Kept"), _build_query("median", "Kept", "p50"))
    assert results == {"sum": {0: pytest.approx(20.05)}, "median": {0: pytest.approx(5, rel=0.02)}}
