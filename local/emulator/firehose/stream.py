"""The way of a record through one stream: kept, buffered, transformed, buffered again, delivered; and backed up."""

import functools
import threading
import time
from collections.abc import Sequence

from local.emulator.firehose import keys, transform
from local.emulator.firehose.buffer import Buffer
from local.emulator.firehose.host import Scope
from local.emulator.firehose.jobs import Delivery, Job, Transformation
from local.emulator.firehose.settings import Place, Settings
from local.emulator.firehose.spool import BACKUP, DELIVERY, Record, Spool

_PROCESSING_FAILED = "processing-failed"


class Stream:
    def __init__(self, scope: Scope, spool: Spool) -> None:
        self.scope = scope
        self._spool = spool
        self._lock = threading.Lock()
        self._source, self._output, self._errors, self._backup = Buffer(), Buffer(), Buffer(), Buffer()
        now = time.monotonic()
        for record, ways in spool.reload():
            self._source.add([record] if DELIVERY in ways else [], now)
            self._backup.add([record] if BACKUP in ways else [], now)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is buffered; what is being delivered is not counted."""
        with self._lock:
            return not (self._source or self._output or self._errors or self._backup)

    def accept(self, payloads: Sequence[bytes], settings: Settings) -> list[str]:
        """Take the records of one request; returns their ids. Raises OSError when they cannot be kept."""
        ways = (DELIVERY, BACKUP) if settings.backup else (DELIVERY,)
        with self._lock:
            records = self._spool.append(payloads, ways)
            self._source.add(records, time.monotonic())
            self._backup.add(records if settings.backup else [], time.monotonic())
        return [record.id for record in records]

    def due(self, settings: Settings, version: int, *, everything: bool) -> list[Job]:
        """Take out of the buffers what is full or due, as jobs."""
        now = time.monotonic()
        take = functools.partial(Buffer.take, now=now, everything=everything)
        place, jobs = settings.destination, list[Job]()
        with self._lock:
            if settings.transform:
                groups = take(self._source, settings.transform.hints)
                for call in (call for group in groups for call in transform.calls(group)):
                    jobs.append(Transformation(self.scope, settings.transform, call, self._transformed))
            else:
                groups = take(self._source, place.hints)
                jobs += [self._delivery(group, place, version, DELIVERY) for group in groups]
            if groups:
                self._spool.roll()
            for group in take(self._output, place.hints):
                jobs.append(self._delivery(group, place, version, DELIVERY))
            for group in take(self._errors, place.hints):
                jobs.append(self._delivery(group, place, version, DELIVERY, _PROCESSING_FAILED))
            # Without a backup place now, what was to be backed up waits for one rather than being lost.
            if settings.backup:
                groups = take(self._backup, settings.backup.hints)
                jobs += [self._delivery(group, settings.backup, version, BACKUP) for group in groups]
        return jobs

    def discard(self) -> None:
        with self._lock:
            for buffer in (self._source, self._output, self._errors, self._backup):
                buffer.clear()
            self._spool.discard()

    def _transformed(self, ok: Sequence[Record], dropped: Sequence[Record], errors: Sequence[Record]) -> None:
        with self._lock:
            self._output.add(ok, time.monotonic())
            self._errors.add(errors, time.monotonic())
            for record in dropped:
                record.segment.settle(DELIVERY)

    def _delivery(self, group: Sequence[Record], place: Place, version: int, way: str, error: str = "") -> Delivery:
        template = place.error_prefix if error else place.prefix
        moment = place.moment(min(record.arrived for record in group))
        key = keys.object_key(template, f"{self.scope.name}-{version}", moment, error) + place.extension
        return Delivery(self.scope, place, key, group, functools.partial(self._delivered, way))

    def _delivered(self, way: str, records: Sequence[Record]) -> None:
        with self._lock:
            for record in records:
                record.segment.settle(way)
