"""Values are few entries in memory, and their statistics stay what they were."""

from typing import Any

import pytest
from ministack.services import cloudwatch

from local.emulator.cloudwatch import metric_store

DAY = 86_400.0
NOW = 1_800_000_000.0


@pytest.fixture(autouse=True)
def store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloudwatch, "_metrics", cloudwatch.AccountRegionScopedDict())
    monkeypatch.setattr(metric_store, "_groups", {})
    monkeypatch.setattr(metric_store._original, "percentile_samples", cloudwatch._percentile_samples, raising=False)
    monkeypatch.setattr(metric_store._original, "store_datum", cloudwatch._store_datum, raising=False)


def read_samples() -> list[dict[str, Any]]:
    [samples] = cloudwatch._metrics._data.values()
    return list(samples)


def record(value: float, age: float, count: float = 1.0) -> None:
    metric_store.record("Stored", "Value", value, "Count", {"a": "b"}, NOW - age, count)


def read_percentile(percent: float) -> float:
    samples = metric_store._list_percentile_samples(read_samples())
    assert samples
    return float(cloudwatch._percentile(samples, percent))


def test_values_of_a_second_are_as_many_entries_as_they_have_magnitudes() -> None:
    values = [1 + number % 1000 for number in range(100_000)]
    for value in values:
        record(value, 0.5)
    assert len(read_samples()) < 350
    stats = cloudwatch._calc_stats(read_samples())
    assert stats == {
        "SampleCount": 100_000,
        "Sum": sum(values),
        "Average": sum(values) / 100_000,
        "Minimum": 1,
        "Maximum": 1000,
    }
    assert read_percentile(99) == pytest.approx(990, rel=0.02)
    assert read_percentile(50) == pytest.approx(500, rel=0.02)


def test_zero_and_negative_values_have_entries_of_their_own() -> None:
    for value in (0, 0, -1, -1, 5):
        record(value, 0)
    assert [(s["_stat"]["Minimum"], s["_stat"]["SampleCount"]) for s in read_samples()] == [(0, 2), (-1, 2), (5, 1)]
    # As in CloudWatch there are no percentiles of negative values.
    assert metric_store._list_percentile_samples(read_samples()) is None


def test_a_value_that_comes_late_has_its_place_in_time() -> None:
    for age in (10, 0, 20, 0):
        record(3, age)
    assert [NOW - sample["Timestamp"] for sample in read_samples()] == [20, 10, 0]
    metric_store._store_datum("Stored", "Value", {"a": "b"}, NOW - 15, "Count", 3.0, None, None, None)
    assert [NOW - sample["Timestamp"] for sample in read_samples()] == [20, 15, 10, 0]


@pytest.mark.parametrize(
    ("age", "step", "entries"),
    [(240, 60, 60), (600, 60, 1), (4 * 3600, 300, 1), (2 * DAY, 3600, 1)],
    ids=["seconds", "minutes", "5 minutes", "hours"],
)
def test_old_values_are_merged(age: float, step: int, entries: int) -> None:
    for second in range(step):
        record(7, age - second)
    metric_store.compact(NOW)
    assert len(read_samples()) == entries
    assert cloudwatch._calc_stats(read_samples())["Sum"] == 7 * step
    assert read_samples()[0]["Timestamp"] == NOW - age


def test_values_of_more_than_two_weeks_are_forgotten() -> None:
    record(1, 14 * DAY + 1)
    metric_store.compact(NOW)
    assert not cloudwatch._metrics._data
    record(1, 14 * DAY - 3600)
    metric_store.compact(NOW)
    assert len(read_samples()) == 1


def test_a_statistic_set_of_different_values_gets_no_percentile() -> None:
    stats = {"SampleCount": 10.0, "Sum": 50.0, "Minimum": 1.0, "Maximum": 20.0}
    metric_store._store_datum("Stored", "Value", {"a": "b"}, NOW - 600, "Count", None, None, None, stats)
    record(5, 600)
    assert metric_store._list_percentile_samples(read_samples()) is None
    metric_store.compact(NOW)
    assert cloudwatch._calc_stats(read_samples())["SampleCount"] == 11
    assert metric_store._list_percentile_samples(read_samples()) is None


def test_a_value_of_a_second_that_was_merged_counts() -> None:
    record(7, 600, count=2)
    metric_store.compact(NOW)
    record(7, 600, count=3)
    assert cloudwatch._calc_stats(read_samples())["Sum"] == 35
    assert cloudwatch._calc_stats(read_samples())["SampleCount"] == 5
