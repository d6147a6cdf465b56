"""One stream: its records are stored, buffered, transformed, buffered again and delivered, and backed up."""

import functools
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence

from local.emulator.firehose import configuration, transform
from local.emulator.firehose.configuration import BufferingHints, Destination, StreamConfiguration
from local.emulator.firehose.jobs import DeliveryJob, Job, TransformJob
from local.emulator.firehose.metrics import PendingRecords
from local.emulator.firehose.ministack import StreamId
from local.emulator.firehose.spool import BACKUP, DELIVERY, Record, Spool

_PROCESSING_FAILED = "processing-failed"


class Buffer:
    """Records that wait until there are enough of them, or until the first is old enough.

    It has no lock: its stream holds one.
    """

    def __init__(self) -> None:
        self._entries: deque[tuple[float, Record]] = deque()
        self._size_bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def add_records(self, records: Iterable[Record], now: float) -> None:
        """`now` is a monotonic time in seconds, here and below."""
        for record in records:
            self._entries.append((now, record))
            self._size_bytes += len(record.data)

    def take_due_groups(self, hints: BufferingHints, now: float, *, everything: bool) -> list[list[Record]]:
        """Remove and return the groups that are full or due. Each becomes one object or one call of the transform."""
        groups = []
        while self._entries and self._size_bytes >= hints.size_bytes:
            groups.append(self._take_group(hints.size_bytes))
        if self._entries and (everything or now - self._entries[0][0] >= hints.interval_seconds):
            groups.append(self._take_group(None))
        return groups

    def clear(self) -> None:
        self._entries.clear()
        self._size_bytes = 0

    def _take_group(self, size_bytes: int | None) -> list[Record]:
        group, group_bytes = [], 0
        while self._entries and (size_bytes is None or group_bytes < size_bytes):
            record = self._entries.popleft()[1]
            group.append(record)
            group_bytes += len(record.data)
        self._size_bytes -= group_bytes
        return group


class Stream:
    def __init__(self, stream_id: StreamId, spool: Spool) -> None:
        self.id = stream_id
        self._spool = spool
        self._lock = threading.Lock()
        self._source, self._output, self._errors, self._backup = Buffer(), Buffer(), Buffer(), Buffer()
        self._pending = {DELIVERY: PendingRecords(), BACKUP: PendingRecords()}
        now = time.monotonic()
        for record, routes in spool.reload():
            for route in routes:
                self._pending[route].add([record])
            self._source.add_records([record] if DELIVERY in routes else [], now)
            self._backup.add_records([record] if BACKUP in routes else [], now)

    @property
    def is_empty(self) -> bool:
        """Whether the buffers are empty. Records in running jobs do not count."""
        with self._lock:
            return not (self._source or self._output or self._errors or self._backup)

    def count_records(self) -> int:
        """Count the records that wait for the transform or for their delivery, or for their backup alone."""
        with self._lock:
            return max(len(self._source), len(self._backup))

    def accept_records(self, payloads: Sequence[bytes], config: StreamConfiguration) -> list[str]:
        """Store the records of one request and return their ids. Raises OSError if they cannot be stored."""
        routes = (DELIVERY, BACKUP) if config.backup else (DELIVERY,)
        with self._lock:
            records = self._spool.append_records(payloads, routes)
            for route in routes:
                self._pending[route].add(records)
            self._source.add_records(records, time.monotonic())
            self._backup.add_records(records if config.backup else [], time.monotonic())
        return [record.id for record in records]

    def take_due_jobs(
        self, config: StreamConfiguration, version: int, *, everything: bool, whole_backup: bool = False
    ) -> list[Job]:
        """Remove from the buffers what is full or due, and return it as jobs.

        `everything` and `whole_backup` take all records, or all that wait for their backup.
        """
        now = time.monotonic()
        take = functools.partial(Buffer.take_due_groups, now=now, everything=everything)
        destination, jobs = config.destination, list[Job]()
        with self._lock:
            if config.transform:
                groups = take(self._source, config.transform.hints)
                for call in (call for group in groups for call in transform.split_into_calls(group)):
                    jobs.append(TransformJob(self.id, config.transform, call, self._add_transformed))
            else:
                groups = take(self._source, destination.hints)
                jobs += [self._build_delivery(group, destination, version, DELIVERY) for group in groups]
            if groups:
                self._spool.close_segment()
            for group in take(self._output, destination.hints):
                jobs.append(self._build_delivery(group, destination, version, DELIVERY))
            for group in take(self._errors, destination.hints):
                jobs.append(self._build_delivery(group, destination, version, DELIVERY, _PROCESSING_FAILED))
            # If the backup is off now, its records stay in the buffer instead of being lost.
            if config.backup:
                groups = take(self._backup, config.backup.hints, everything=everything or whole_backup)
                jobs += [self._build_delivery(group, config.backup, version, BACKUP) for group in groups]
        return jobs

    def compute_ages(self) -> dict[str, float | None]:
        """The age in seconds of the oldest record that is not delivered, by route."""
        with self._lock:
            return {route: pending.compute_age_seconds() for route, pending in self._pending.items()}

    def discard_records(self) -> None:
        with self._lock:
            for pending in self._pending.values():
                pending.clear()
            for buffer in (self._source, self._output, self._errors, self._backup):
                buffer.clear()
            self._spool.discard()

    def _add_transformed(self, ok: Sequence[Record], dropped: Sequence[Record], errors: Sequence[Record]) -> None:
        with self._lock:
            self._output.add_records(ok, time.monotonic())
            self._errors.add_records(errors, time.monotonic())
            self._pending[DELIVERY].remove(dropped)
            for record in dropped:
                record.segment.mark_delivered(DELIVERY)

    def _build_delivery(
        self, group: Sequence[Record], destination: Destination, version: int, route: str, error_type: str = ""
    ) -> DeliveryJob:
        prefix = destination.error_prefix if error_type else destination.prefix
        oldest = destination.convert_time(min(record.arrived_at for record in group))
        key = configuration.build_object_key(prefix, f"{self.id.name}-{version}", oldest, error_type)
        on_delivered = functools.partial(self._mark_delivered, route)
        counted_route = None if error_type else route
        return DeliveryJob(self.id, destination, key + destination.extension, group, on_delivered, counted_route)

    def _mark_delivered(self, route: str, records: Sequence[Record]) -> None:
        with self._lock:
            self._pending[route].remove(records)
            for record in records:
                record.segment.mark_delivered(route)
