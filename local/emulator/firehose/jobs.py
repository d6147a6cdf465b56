"""What is done outside of a stream's lock, again and again until it is done: a call of the transform, a put into S3."""

import gzip
import logging
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from local.emulator.firehose import host, transform
from local.emulator.firehose.settings import Place, Transform
from local.emulator.firehose.spool import Record

_log = logging.getLogger("firehose.delivery")
_FIRST_WAIT_SECONDS = 0.3
_LONGEST_WAIT_SECONDS = 15.0


class Job(Protocol):
    at_once: ClassVar[int]
    """How many of the kind may run at the same time for one stream."""

    def run(self) -> float | None:
        """Try once. None when it is done, else the seconds to wait before the next try."""


def _wait(attempts: int) -> float:
    return min(_FIRST_WAIT_SECONDS * 2.0 ** min(attempts - 1, 10), _LONGEST_WAIT_SECONDS)


@dataclass
class Transformation:
    """Calls the transform for `records`, and hands on what came of it: transformed, dropped, error lines."""

    # A backlog must not throttle the function: three throttled tries would send its records to the error prefix.
    at_once: ClassVar[int] = 2

    scope: host.Scope
    settings: Transform
    records: Sequence[Record]
    hand_on: Callable[[Sequence[Record], Sequence[Record], Sequence[Record]], None]
    invocation: str = field(default_factory=lambda: str(uuid.uuid4()))
    attempts: int = 0

    def run(self) -> float | None:
        self.attempts += 1
        try:
            outcome = transform.call(self.scope, self.settings.function, self.invocation, self.records)
        except transform.CallFailedError as failure:
            _log.warning("%s: transform failed, try %d: %s", self.scope.name, self.attempts, failure.code)
            if self.attempts <= self.settings.retries:
                return _wait(self.attempts)
            self.hand_on([], [], self._lines(self.records, failure))
            return None
        self.hand_on(outcome.ok, outcome.dropped, self._lines(outcome.failed, transform.processing_failed()))
        return None

    def _lines(self, records: Sequence[Record], failure: transform.CallFailedError) -> list[Record]:
        return [transform.error_line(record, failure, self.attempts, self.settings.function) for record in records]


@dataclass
class Delivery:
    """Puts `records` as one object, until S3 takes it, and then says so. The key stays the same at every try."""

    at_once: ClassVar[int] = 8

    scope: host.Scope
    place: Place
    key: str
    records: Sequence[Record]
    delivered: Callable[[Sequence[Record]], None]
    attempts: int = 0

    def run(self) -> float | None:
        self.attempts += 1
        body = b"".join(record.data for record in self.records)
        if self.place.gzip:
            body = gzip.compress(body, compresslevel=6)
        try:
            host.put_object(self.scope, self.place.bucket, self.key, body)
        except (host.PutFailedError, TimeoutError) as error:
            _log.warning("%s: put into %s failed, try %d: %s", self.scope.name, self.place.bucket, self.attempts, error)
            return _wait(self.attempts)
        self.delivered(self.records)
        return None
