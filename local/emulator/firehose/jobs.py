"""The jobs of a stream: a call of the transform, a put to S3. Each runs outside the stream's lock until it succeeds."""

import gzip
import logging
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from local.emulator.firehose import metrics, ministack, transform
from local.emulator.firehose.configuration import Destination, Transform
from local.emulator.firehose.spool import Record

_logger = logging.getLogger("firehose.delivery")
_FIRST_DELAY_SECONDS = 0.3
_MAX_DELAY_SECONDS = 15.0


class Job(Protocol):
    max_concurrency: ClassVar[int]
    """How many jobs of this type may run at the same time for one stream."""

    def run(self) -> float | None:
        """Attempt the job once. Return None if it succeeded, else the seconds until the next attempt."""


def _compute_delay(attempts: int) -> float:
    return min(_FIRST_DELAY_SECONDS * 2.0 ** min(attempts - 1, 10), _MAX_DELAY_SECONDS)


@dataclass
class TransformJob:
    """Calls the transform for `records` and passes on the transformed records, the dropped ones and the error lines."""

    # A backlog must not throttle the function: after three throttled attempts its records go to the error prefix.
    max_concurrency: ClassVar[int] = 2

    stream_id: ministack.StreamId
    settings: Transform
    records: Sequence[Record]
    on_transformed: Callable[[Sequence[Record], Sequence[Record], Sequence[Record]], None]
    invocation_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    attempts: int = 0

    def run(self) -> float | None:
        self.attempts += 1
        started = time.perf_counter()
        try:
            outcome = transform.call_transform(self.stream_id, self.settings.function, self.invocation_id, self.records)
        except transform.CallFailedError as failure:
            metrics.count_processing(self.stream_id, started, None)
            _logger.warning("%s: transform failed, attempt %d: %s", self.stream_id.name, self.attempts, failure.code)
            if self.attempts <= self.settings.retries:
                return _compute_delay(self.attempts)
            self.on_transformed([], [], self._build_error_lines(self.records, failure))
            return None
        metrics.count_processing(self.stream_id, started, [*outcome.ok, *outcome.dropped])
        errors = self._build_error_lines(outcome.failed, transform.build_processing_failure())
        self.on_transformed(outcome.ok, outcome.dropped, errors)
        return None

    def _build_error_lines(self, records: Sequence[Record], failure: transform.CallFailedError) -> list[Record]:
        function = self.settings.function
        return [transform.build_error_line(record, failure, self.attempts, function) for record in records]


@dataclass
class DeliveryJob:
    """Puts `records` as one object until S3 accepts it, then calls `on_delivered`. All attempts use the same key.

    `counted_route` is the route whose metrics count the attempts, or None if no metric does.
    """

    max_concurrency: ClassVar[int] = 8

    stream_id: ministack.StreamId
    destination: Destination
    key: str
    records: Sequence[Record]
    on_delivered: Callable[[Sequence[Record]], None]
    counted_route: str | None = None
    attempts: int = 0

    def run(self) -> float | None:
        self.attempts += 1
        stream_id, bucket = self.stream_id, self.destination.bucket
        body = b"".join(record.data for record in self.records)
        if self.destination.gzip:
            body = gzip.compress(body, compresslevel=6)
        try:
            ministack.put_object(stream_id.account, stream_id.region, bucket, self.key, body)
        except (ministack.PutFailedError, TimeoutError) as error:
            self._count(succeeded=False)
            _logger.warning("%s: put to %s failed, attempt %d: %s", stream_id.name, bucket, self.attempts, error)
            return _compute_delay(self.attempts)
        self._count(succeeded=True)
        self.on_delivered(self.records)
        return None

    def _count(self, *, succeeded: bool) -> None:
        if self.counted_route:
            metrics.count_delivery(self.stream_id, self.counted_route, self.records, succeeded=succeeded)
