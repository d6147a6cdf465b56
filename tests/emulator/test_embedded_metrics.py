"""Metrics in a line are extracted as the embedded metric format says, or not at all."""

import time
from typing import Any

import pytest
from ministack.services import cloudwatch

from local.emulator.cloudwatch import embedded_metrics, metric_store


@pytest.fixture(autouse=True)
def store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloudwatch, "_metrics", cloudwatch.AccountRegionScopedDict())
    monkeypatch.setattr(metric_store, "_groups", {})


def build_document(age: float = 1.0, **changes: Any) -> dict[str, Any]:
    directive = {
        "Namespace": "Own",
        "Dimensions": [["service", "stack"], ["service"], []],
        "Metrics": [{"Name": "Seen", "Unit": "Count"}, {"Name": "Took", "Unit": "Milliseconds"}, {"Name": "Bare"}],
        **changes.pop("directive", {}),
    }
    metadata = {"Timestamp": int((time.time() - age) * 1000), "CloudWatchMetrics": [directive]}
    values = {"service": "sluice", "stack": "first", "Seen": 2, "Took": [1.5, 4], "Bare": 0}
    return {"_aws": metadata | changes.pop("metadata", {}), **values, **changes}


def read_values() -> dict[tuple[str, str, str], tuple[float, float, str]]:
    """Count, sum and unit of each metric."""
    read = {}
    for (namespace, name, dimensions), samples in cloudwatch._metrics.items():
        stats = cloudwatch._calc_stats(samples)
        read[namespace, name, dimensions] = (stats["SampleCount"], stats["Sum"], samples[0]["Unit"])
    return read


def test_each_value_is_stored_with_each_set_of_dimensions() -> None:
    embedded_metrics.store_metrics(build_document())
    stored = {"Seen": (1, 2, "Count"), "Took": (2, 5.5, "Milliseconds"), "Bare": (1, 0, "None")}
    sets = ("service=sluice|stack=first", "service=sluice", "")
    assert read_values() == {("Own", name, key): value for name, value in stored.items() for key in sets}


def test_several_directives_are_read() -> None:
    document = build_document()
    directives = document["_aws"]["CloudWatchMetrics"]
    directives.append({"Namespace": "Other", "Dimensions": [["stack"]], "Metrics": [{"Name": "Seen"}]})
    embedded_metrics.store_metrics(document)
    assert read_values()["Other", "Seen", "stack=first"] == (1, 2, "None")
    assert len(read_values()) == 10


def test_a_value_has_the_time_of_its_document() -> None:
    embedded_metrics.store_metrics(build_document(age=600))
    for samples in cloudwatch._metrics.values():
        assert all(599 < time.time() - sample["Timestamp"] < 603 for sample in samples)


@pytest.mark.parametrize(
    "changes",
    [
        {"metadata": {"Timestamp": None}},
        {"metadata": {"Timestamp": "1795939200000"}},
        {"age": 14 * 86_400 + 60},
        {"age": -2 * 3600 - 60},
        {"metadata": {"CloudWatchMetrics": {}}},
        {"metadata": {"CloudWatchMetrics": ["Seen"]}},
        {"directive": {"Namespace": ""}},
        {"directive": {"Namespace": "n" * 1025}},
        {"directive": {"Namespace": None}},
        {"directive": {"Dimensions": []}},
        {"directive": {"Dimensions": ["service"]}},
        {"directive": {"Dimensions": [["absent"]]}},
        {"directive": {"Dimensions": [[f"d{number}" for number in range(31)]]}, **{f"d{n}": "v" for n in range(31)}},
        {"service": 7},
        {"service": ""},
        {"service": "s" * 1025},
        {
            "directive": {"Metrics": [{"Name": f"m{number}"} for number in range(101)]},
            **{f"m{n}": 1 for n in range(101)},
        },
        {"directive": {"Metrics": [{"Name": "absent"}]}},
        {"directive": {"Metrics": [{"Name": "Seen", "Unit": "Pieces"}]}},
        {"directive": {"Metrics": [{"Name": "Seen", "StorageResolution": 5}]}},
        {"Took": [1.0] * 101},
        {"Took": []},
        {"Took": "1"},
        {"Took": True},
        {"Took": [1, None]},
    ],
    ids=lambda changes: str(changes)[:60],
)
def test_a_document_that_violates_the_specification_has_no_metrics(changes: dict[str, Any]) -> None:
    embedded_metrics.store_metrics(build_document(**changes))
    assert read_values() == {}


@pytest.mark.parametrize("document", [{}, {"_aws": None}, {"_aws": {}}, {"_aws": [1]}, {"Seen": 1}])
def test_a_line_without_metrics_is_left_alone(document: dict[str, Any]) -> None:
    embedded_metrics.store_metrics(document)
    assert read_values() == {}


def test_the_largest_document_is_valid() -> None:
    metrics = [{"Name": f"m{number}", "StorageResolution": 1} for number in range(100)]
    names = [f"d{number}" for number in range(30)]
    values: dict[str, Any] = {
        **dict.fromkeys(names, "v" * 1024),
        **{f"m{number}": [1.0] * 100 for number in range(100)},
    }
    document = build_document(
        directive={"Metrics": metrics, "Dimensions": [names]},
        **values,
    )
    embedded_metrics.store_metrics(document)
    assert len(read_values()) == 100
