"""Metrics in the lines of functions, in the embedded metric format.

Source, with its schema:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html.
As there, a document that violates it stays a line, and none of its metrics is extracted.
"""

import time
from collections.abc import Iterator
from typing import Any

from local.emulator.cloudwatch import metric_store

MAX_METRICS, MAX_VALUES, MAX_DIMENSIONS = 100, 100, 30
MAX_NAME_LENGTH, MAX_DIMENSION_LENGTH, MAX_VALUE_LENGTH = 1024, 250, 1024
# CloudWatch Logs takes events of the last two weeks, and at most two hours of the future.
MAX_AGE_SECONDS, MAX_FUTURE_SECONDS = 14 * 24 * 3600, 2 * 3600
_SIZES = ("Bytes", "Bits")
_SCALES = ("", "Kilo", "Mega", "Giga", "Tera")
UNITS = frozenset(
    {"Seconds", "Microseconds", "Milliseconds", "Percent", "Count", "Count/Second", "None"}
    | {
        f"{scale}{size.lower() if scale else size}{per}"
        for scale in _SCALES
        for size in _SIZES
        for per in ("", "/Second")
    }
)

Extracted = tuple[str, str, str, dict[str, str], list[float]]


class InvalidDocumentError(ValueError):
    """The document violates the specification."""


def store_metrics(document: dict[str, Any]) -> None:
    """Store the metrics of a line that is JSON; nothing if the document is invalid or has none."""
    if "CloudWatchMetrics" not in (document.get("_aws") or {}):
        return
    try:
        moment = _read_timestamp(document["_aws"])
        extracted = list(extract_metrics(document))
    except InvalidDocumentError:
        return
    for namespace, name, unit, dimensions, values in extracted:
        metric_store.record_values(namespace, dimensions, [(name, value, unit) for value in values], moment)


def _read_timestamp(metadata: dict[str, Any]) -> float:
    milliseconds = metadata.get("Timestamp")
    _require(isinstance(milliseconds, int) and not isinstance(milliseconds, bool))
    moment = float(milliseconds or 0) / 1000
    _require(-MAX_FUTURE_SECONDS <= time.time() - moment <= MAX_AGE_SECONDS)
    return moment


def extract_metrics(document: dict[str, Any]) -> Iterator[Extracted]:
    """Yield namespace, name, unit, dimensions and values of each metric. Raises InvalidDocumentError."""
    directives = document["_aws"]["CloudWatchMetrics"]
    _require(isinstance(directives, list))
    for directive in directives:
        _require(isinstance(directive, dict))
        namespace, metrics = directive.get("Namespace"), directive.get("Metrics")
        _require_text(namespace, MAX_NAME_LENGTH)
        _require(isinstance(metrics, list) and len(metrics) <= MAX_METRICS)
        for dimensions in _read_dimension_sets(directive.get("Dimensions"), document):
            for metric in metrics:
                _require(isinstance(metric, dict))
                _require_text(metric.get("Name"), MAX_NAME_LENGTH)
                unit = metric.get("Unit", "None")
                _require(unit in UNITS and metric.get("StorageResolution", 60) in {1, 60})
                yield namespace, metric["Name"], unit, dimensions, _read_values(document.get(metric["Name"]))


def _read_dimension_sets(sets: Any, document: dict[str, Any]) -> list[dict[str, str]]:
    """Return the dimensions of each set. A set without names is a metric without dimensions."""
    _require(isinstance(sets, list) and len(sets) > 0)
    for names in sets:
        _require(isinstance(names, list) and len(names) <= MAX_DIMENSIONS)
        for name in names:
            _require_text(name, MAX_DIMENSION_LENGTH)
            _require_text(document.get(name), MAX_VALUE_LENGTH)
    return [{name: document[name] for name in names} for names in sets]


def _read_values(value: Any) -> list[float]:
    values = value if isinstance(value, list) else [value]
    _require(0 < len(values) <= MAX_VALUES)
    _require(all(isinstance(entry, int | float) and not isinstance(entry, bool) for entry in values))
    return [float(entry) for entry in values]


def _require_text(value: Any, longest: int) -> None:
    _require(isinstance(value, str) and 1 <= len(value) <= longest)


def _require(is_valid: bool) -> None:
    if not is_valid:
        raise InvalidDocumentError
