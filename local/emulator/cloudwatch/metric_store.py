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
import os
import threading
import time
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from ministack.services import cloudwatch

from local.emulator.environment import MINUTE_SECONDS
from local.emulator.patching import replace_function

_SPREAD = math.log(1.02)
_MINUTE = float(os.environ.get(MINUTE_SECONDS) or 60)
_RESOLUTION = min(1.0, _MINUTE / 60)
# From which age on values are kept per which time, both in minutes.
_STEPS = ((24 * 60, 60), (3 * 60, 5), (5, 1))
_COMPACTION_SECONDS = max(30.0, 5 * _MINUTE)

Sample = dict[str, Any]

_original = SimpleNamespace()
_lock = threading.Lock()
# The newest second of each metric, and its entries by unit and magnitude.
_newest: dict[Any, tuple[float, dict[Any, Sample]]] = {}
_get_timestamp = operator.itemgetter("Timestamp")


def record(  # noqa: PLR0913, PLR0917 - MiniStack's record_metric has the first five
    namespace: str,
    name: str,
    value: float,
    unit: str = "None",
    dimensions: dict[str, str] | None = None,
    timestamp: float | None = None,
    count: float = 1.0,
) -> None:
    """Store a value that was seen `count` times, by default now. It is cheap enough for each request."""
    moment = time.time() if timestamp is None else timestamp
    second = moment // _RESOLUTION * _RESOLUTION
    dimensions = dimensions or {}
    scoped = cloudwatch._metrics._scoped((namespace, name, cloudwatch._dims_key(dimensions)))
    value, magnitude = float(value), (unit, _compute_magnitude(value))
    with _lock:
        newest, entries = _newest.get(scoped, (-math.inf, {}))
        if second == newest and (entry := entries.get(magnitude)):
            _merge(entry, count, value * count, value, value)
            return
        entry = _build_entry(second, unit, dimensions, (count, value * count, value, value))
        samples = cloudwatch._metrics._data.setdefault(scoped, [])
        bisect.insort(samples, entry, key=_get_timestamp)
        if second == newest:
            entries[magnitude] = entry
        elif second > newest:
            _newest[scoped] = (second, {magnitude: entry})


def _compute_magnitude(value: float) -> float:
    """Equal for positive values that differ by at most 2%, and for no others."""
    return value if value <= 0 else round(math.log(value) / _SPREAD) + 0.5


def _build_entry(moment: float, unit: str, dimensions: dict[str, str], stats: tuple[float, ...]) -> Sample:
    entry = {"Timestamp": moment, "Value": 0.0, "Unit": unit, "Dimensions": dimensions, "_merged": True, "_stat": {}}
    _set_stats(entry, *stats)
    return entry


def _set_stats(entry: Sample, count: float, total: float, low: float, high: float) -> None:
    # A new dictionary: readers take no lock.
    entry["_stat"] = {"SampleCount": count, "Sum": total, "Minimum": low, "Maximum": high}
    entry["Value"] = total / count if count else 0.0


def _merge(entry: Sample, count: float, total: float, low: float, high: float) -> None:
    old_count, old_total, old_low, old_high = cloudwatch._point_stats(entry)
    _set_stats(entry, old_count + count, old_total + total, min(old_low, low), max(old_high, high))


def compact(now: float) -> None:
    """Merge the values of old seconds, and forget those of more than two weeks."""
    for scoped in list(cloudwatch._metrics._data):
        with _lock:
            samples = cloudwatch._metrics._data.get(scoped)
            if samples is None:
                continue
            kept = _compact_samples(samples, now)
            if kept:
                # A new list: readers take no lock.
                cloudwatch._metrics._data[scoped] = kept
            else:
                del cloudwatch._metrics._data[scoped]
                _newest.pop(scoped, None)


def _compact_samples(samples: list[Sample], now: float) -> list[Sample]:
    young = bisect.bisect_left(samples, now - _STEPS[-1][0] * _MINUTE, key=_get_timestamp)
    oldest = bisect.bisect_left(samples, now - cloudwatch.TWO_WEEKS_SECONDS, key=_get_timestamp)
    merged: dict[Any, Sample] = {}
    for sample in samples[oldest:young]:
        step = next(step for age, step in _STEPS if sample["Timestamp"] <= now - age * _MINUTE) * _MINUTE
        moment = sample["Timestamp"] // step * step
        count, total, low, high = cloudwatch._point_stats(sample)
        # A client's statistic set of different values has no percentile, and must not get one here.
        is_single = sample.get("_merged") or low == high
        magnitude = _compute_magnitude(total / count) if count and is_single else None
        key = (moment, sample["Unit"], magnitude)
        if entry := merged.get(key):
            _merge(entry, count, total, low, high)
        else:
            merged[key] = _build_entry(moment, sample["Unit"], sample["Dimensions"], (count, total, low, high))
            merged[key]["_merged"] = is_single
    return sorted(merged.values(), key=_get_timestamp) + samples[young:]


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
