"""Gaps of MiniStack's store of metrics, which stays the one that alarms and the API read.

- Each value is an entry for two weeks, so memory grows with the requests. Here values of one second that differ by at
  most 2% are one entry with their count, sum, minimum and maximum. From the age of 5 minutes a minute takes the place
  of a second, from 3 hours 5 minutes, and from a day an hour. All statistics stay exact, except percentiles, which are
  within 2%. CloudWatch keeps minutes for 15 days
  (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html, "Metrics retention").
- Each request to the API copies all entries, and loses what another thread stores meanwhile.
- Values with an older timestamp than the last one are out of order, and alarms do not see them.

With another length of a minute (SLUICE_MINUTE_SECONDS) the seconds and minutes above have that scale.
"""

import bisect
import math
import operator
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import cloudwatch

from local.emulator.environment import read_minute
from local.emulator.patching import replace_function

# Values with the same whole number of steps of 2% are one entry. The offset makes the number positive.
_SPREAD, _OFFSET = math.log(1.02), 1e6
_MINUTE = read_minute()
_RESOLUTION = min(1.0, _MINUTE / 60)
# From which age on values are merged per which time, both in minutes.
_STEPS = ((24 * 60, 60), (3 * 60, 5), (5, 1))
_COMPACTION_SECONDS = max(30.0, 5 * _MINUTE)

Sample = dict[str, Any]
Value = tuple[str, float, str]
"""Name of the metric, value and unit."""

_original = SimpleNamespace()
_lock = threading.Lock()
_get_timestamp = operator.itemgetter("Timestamp")


@dataclass(slots=True)
class _Newest:
    """The newest second of a metric, and the statistics of its entries by unit and magnitude."""

    second: float = -math.inf
    entries: dict[Any, dict[str, float]] = field(default_factory=dict)


# By account, region, namespace, values of the dimensions, and then by name of the metric.
_groups: dict[Any, dict[str, _Newest]] = {}


def record(  # noqa: PLR0913, PLR0917 - MiniStack's record_metric has the first five
    namespace: str,
    name: str,
    value: float,
    unit: str = "None",
    dimensions: dict[str, str] | None = None,
    timestamp: float | None = None,
    count: float = 1.0,
) -> None:
    """Store a value that was seen `count` times, by default now."""
    record_values(namespace, dimensions or {}, ((name, float(value), unit),), timestamp, count)


def record_values(
    namespace: str,
    dimensions: dict[str, str],
    values: Iterable[Value],
    timestamp: float | None = None,
    count: float = 1.0,
) -> None:
    """Store values of metrics with the same dimensions.

    It is cheap, because every request calls it: a value of an entry that exists changes that entry's statistics.
    """
    second = (time.time() if timestamp is None else timestamp) // _RESOLUTION * _RESOLUTION
    key = (get_account_id(), get_region(), namespace, *dimensions.items())
    with _lock:
        group = _groups.get(key)
        if group is None:
            group = _groups[key] = {}
        for name, value, unit in values:
            newest = group.get(name)
            if newest is None:
                newest = group[name] = _Newest()
            kind = (unit, _compute_magnitude(value))
            stats = newest.entries.get(kind) if newest.second == second else None
            if stats is None:
                stats = _add_entry(namespace, name, dimensions, unit, second)
                if second > newest.second:
                    newest.second, newest.entries = second, {}
                if second == newest.second:
                    newest.entries[kind] = stats
            # Readers take no lock. For a moment they may see the count without the sum, of the present second only.
            _add_values(stats, count, value * count, value, value)


def _add_entry(namespace: str, name: str, dimensions: dict[str, str], unit: str, second: float) -> dict[str, float]:
    """Add an entry at its place in time and return its statistics. The caller has the lock."""
    scoped = cloudwatch._metrics._scoped((namespace, name, cloudwatch._dims_key(dimensions)))
    entry = _build_entry(second, unit, dimensions)
    bisect.insort(cloudwatch._metrics._data.setdefault(scoped, []), entry, key=_get_timestamp)
    statistics: dict[str, float] = entry["_stat"]
    return statistics


def _build_entry(moment: float, unit: str, dimensions: dict[str, str], *, is_merged: bool = True) -> Sample:
    """An entry without a value. `_merged` says that its values differ by at most 2%."""
    stats = {"SampleCount": 0.0, "Sum": 0.0, "Minimum": math.inf, "Maximum": -math.inf}
    return {
        "Timestamp": moment,
        "Value": 0.0,
        "Unit": unit,
        "Dimensions": dimensions,
        "_merged": is_merged,
        "_stat": stats,
    }


def _compute_magnitude(value: float) -> float:
    """The same number for values that differ by at most 2%."""
    return value if value <= 0 else int(math.log(value) / _SPREAD + _OFFSET)


def _add_values(stats: dict[str, float], count: float, total: float, low: float, high: float) -> None:
    stats["SampleCount"] += count
    stats["Sum"] += total
    stats["Minimum"] = min(stats["Minimum"], low)
    stats["Maximum"] = max(stats["Maximum"], high)


def compact(now: float) -> None:
    """Merge the values of old seconds, and forget those of more than two weeks."""
    for scoped in list(cloudwatch._metrics._data):
        with _lock:
            samples = cloudwatch._metrics._data.get(scoped)
            if samples is None:
                continue
            remaining = _compact_samples(samples, now)
            # They may refer to entries that are gone.
            _groups.clear()
            if remaining:
                # A new list: readers take no lock.
                cloudwatch._metrics._data[scoped] = remaining
            else:
                del cloudwatch._metrics._data[scoped]


def _compact_samples(samples: list[Sample], now: float) -> list[Sample]:
    young = now - _STEPS[-1][0] * _MINUTE
    merged: dict[Any, Sample] = {}
    for sample in select_samples(samples, now - cloudwatch.TWO_WEEKS_SECONDS, young):
        step = next(step for age, step in _STEPS if sample["Timestamp"] <= now - age * _MINUTE) * _MINUTE
        moment = sample["Timestamp"] // step * step
        count, total, low, high = cloudwatch._point_stats(sample)
        # A client's statistic set of different values has no percentile, and must not get one here.
        is_merged = bool(sample.get("_merged")) or low == high
        magnitude = _compute_magnitude(total / count if count else 0.0) if is_merged else None
        key = (moment, sample["Unit"], magnitude)
        if key not in merged:
            merged[key] = _build_entry(moment, sample["Unit"], sample["Dimensions"], is_merged=is_merged)
        _add_values(merged[key]["_stat"], count, total, low, high)
    return sorted(merged.values(), key=_get_timestamp) + select_samples(samples, young)


def find_samples(metric: dict[str, Any], unit: str | None) -> list[Sample]:
    """Return the entries of a metric, in whatever unit if that is None, by time."""
    dimensions = cloudwatch._dims_key(cloudwatch._dims_from_list(metric.get("Dimensions") or []))
    samples: list[Sample] = cloudwatch._metrics.get((metric["Namespace"], metric["MetricName"], dimensions)) or []
    return [sample for sample in samples if sample["Unit"] == unit] if unit else samples


def select_samples(samples: list[Sample], start: float, end: float = math.inf) -> list[Sample]:
    """Return those from `start` on and before `end`, of entries that are in the order of time."""
    first = bisect.bisect_left(samples, start, key=_get_timestamp)
    return samples[first : bisect.bisect_left(samples, end, key=_get_timestamp)]


def compute_statistic(samples: list[Sample], statistic: str) -> float | None:
    """Return a statistic of entries, such as `Sum` or `p99`, or None without entries or if they have no percentiles."""
    if not samples:
        return None
    value = cloudwatch._stat_value(cloudwatch._calc_stats(samples), statistic, samples)
    return None if value is None else float(value)


def _store_datum(  # noqa: PLR0913, PLR0917 - the signature is MiniStack's
    namespace: str,
    name: str,
    dimensions: dict[str, str],
    timestamp: float,
    unit: str,
    value: float | None,
    values: list[float] | None,
    counts: list[float] | None,
    statistics: dict[str, float] | None,
) -> None:
    """Store a value of PutMetricData, several values with their counts, or a statistic set."""
    if statistics is not None and values is None:
        # It has no percentiles, so it stays an entry of its own.
        with _lock:
            _original.store_datum(namespace, name, dimensions, timestamp, unit, value, values, counts, statistics)
            cloudwatch._metrics[namespace, name, cloudwatch._dims_key(dimensions)].sort(key=_get_timestamp)
        return
    seen = values if values is not None else [value or 0.0]
    for each, count in zip(seen, counts or [1.0] * len(seen), strict=True):
        record(namespace, name, each, unit, dimensions, timestamp, count)


def _list_percentile_samples(points: Iterable[Sample]) -> list[tuple[float, float]] | None:
    samples: list[tuple[float, float]] = []
    for point in points:
        if not point.get("_merged"):
            single = _original.percentile_samples([point])
            if single is None and cloudwatch._point_stats(point)[0] > 0:
                return None
            samples += single or []
            continue
        count, total, low, _ = cloudwatch._point_stats(point)
        if low < 0:
            return None
        samples.append((total / count, count))
    return samples or None


def patch() -> None:
    replace_function(cloudwatch, "record_metric", "7f777bfbe523", record)
    _original.store_datum = replace_function(cloudwatch, "_store_datum", "e0194e701d56", _store_datum)
    _original.percentile_samples = replace_function(
        cloudwatch, "_percentile_samples", "50eed5b9a6bb", _list_percentile_samples
    )
    replace_function(cloudwatch, "_evict_old_metrics", "cf47bc1522ad", lambda: None)
    threading.Thread(target=_run, daemon=True, name="metric-store").start()


def _run() -> None:
    pause = threading.Event()
    while not pause.wait(_COMPACTION_SECONDS):
        compact(time.time())
