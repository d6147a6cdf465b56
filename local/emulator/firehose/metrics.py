"""Gap: Firehose measures nothing. Here a stream has the metrics of AWS/Firehose, by DeliveryStreamName.

Names, units, semantics: https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-metrics.html. What
it leaves open is chosen here: the freshness is stored each minute, as the age of the oldest record that is not
delivered, and at each delivery, as the age of the oldest record of the object. A stream without records has none.
Objects of the error prefix do not count as delivered records.

Limits: https://docs.aws.amazon.com/firehose/latest/dev/limits.html, for direct put. The emulator does not enforce them.
"""

import time
from collections import Counter
from collections.abc import Iterable, Sequence

from ministack.core.responses import request_scope

from local.emulator.cloudwatch import metric_store
from local.emulator.cloudwatch.metric_store import Value
from local.emulator.firehose.ministack import StreamId
from local.emulator.firehose.spool import BACKUP, DELIVERY, Record

_PREFIXES = {DELIVERY: "DeliveryToS3", BACKUP: "BackupToS3"}
_LARGE_REGIONS = {"us-east-1", "us-west-2", "eu-west-1"}
_LARGE_LIMITS = {"RecordsPerSecondLimit": 500_000, "PutRequestsPerSecondLimit": 2_000, "BytesPerSecondLimit": 5 * 2**20}
_SMALL_LIMITS = {"RecordsPerSecondLimit": 100_000, "PutRequestsPerSecondLimit": 1_000, "BytesPerSecondLimit": 2**20}


class PendingRecords:
    """Counts the records of a route that are not delivered, by the second of their arrival.

    It has no lock: its stream holds one.
    """

    def __init__(self) -> None:
        self._by_second: Counter[int] = Counter()

    def add(self, records: Iterable[Record]) -> None:
        self._by_second.update(record.arrived_at // 1000 for record in records)

    def remove(self, records: Iterable[Record]) -> None:
        for second, number in Counter(record.arrived_at // 1000 for record in records).items():
            self._by_second[second] -= number
            if self._by_second[second] <= 0:
                del self._by_second[second]

    def clear(self) -> None:
        self._by_second.clear()

    def compute_age_seconds(self) -> float | None:
        """The age of the oldest record, or None without one."""
        return time.time() - min(self._by_second) if self._by_second else None


def count_put(stream_id: StreamId, accepted: Sequence[bytes], throttled: int) -> None:
    """Count a put request and its records. A request without an accepted record has throttled records only."""
    values = [("ThrottledRecords", float(throttled), "Count")]
    if accepted:
        values += [
            ("IncomingPutRequests", 1.0, "Count"),
            ("IncomingRecords", float(len(accepted)), "Count"),
            ("IncomingBytes", float(sum(map(len, accepted))), "Bytes"),
        ]
    _store(stream_id, values)


def count_processing(stream_id: StreamId, started: float, processed: Sequence[Record] | None) -> None:
    """Count a call of the transform. `started` is a `time.perf_counter`; `processed` is None if the call failed."""
    values = [
        ("ExecuteProcessing.Duration", (time.perf_counter() - started) * 1000, "Milliseconds"),
        ("ExecuteProcessing.Success", float(processed is not None), "None"),
    ]
    if processed:
        values += _measure_records("SucceedProcessing", processed)
    _store(stream_id, values)


def count_delivery(stream_id: StreamId, route: str, records: Sequence[Record], *, succeeded: bool) -> None:
    prefix = _PREFIXES[route]
    values = [(f"{prefix}.Success", float(succeeded), "None")]
    if succeeded:
        oldest = min(record.arrived_at for record in records) / 1000
        values += [*_measure_records(prefix, records), (f"{prefix}.DataFreshness", time.time() - oldest, "Seconds")]
    _store(stream_id, values)


def _measure_records(prefix: str, records: Sequence[Record]) -> list[Value]:
    size = float(sum(len(record.data) for record in records))
    return [(f"{prefix}.Records", float(len(records)), "Count"), (f"{prefix}.Bytes", size, "Bytes")]


def record_state(stream_id: StreamId, ages: dict[str, float | None]) -> None:
    """Store the limits of a stream, and the age of its oldest record by route."""
    limits = _LARGE_LIMITS if stream_id.region in _LARGE_REGIONS else _SMALL_LIMITS
    values = [
        (name, float(limit), "Bytes/Second" if name.startswith("Bytes") else "Count") for name, limit in limits.items()
    ]
    values += [(f"{_PREFIXES[route]}.DataFreshness", age, "Seconds") for route, age in ages.items() if age is not None]
    _store(stream_id, values)


def _store(stream_id: StreamId, values: Sequence[Value]) -> None:
    with request_scope(stream_id.account, stream_id.region):
        metric_store.record_values("AWS/Firehose", {"DeliveryStreamName": stream_id.name}, values)
