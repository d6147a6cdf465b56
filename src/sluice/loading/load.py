"""Load one batch: exactly once in effect, however often it is asked for."""

import datetime
import random
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import msgspec
import pymysql

from sluice.archive import BatchObject, blocks, open_batch
from sluice.database import Connection, Database
from sluice.faults import TryAgain, meaning
from sluice.loading import ledger
from sluice.loading.apply import Applier
from sluice.loading.latest import Choice, Item, Part, Reader, Refused, as_write
from sluice.loading.statements import Statements, statements
from sluice.resource import Resource

TRIES = 4
PAUSE = 0.2  # seconds, the most before the first try again


@dataclass
class Outcome:
    """What a load came to. `lag_ms` is from the oldest write's acceptance to the commit."""

    key: str
    etag: str
    status: str
    applied: int = 0
    stale: int = 0
    rejected: int = 0
    unknown_fields: int = 0
    duration_ms: int = 0
    lag_ms: int = 0


class Loader:
    """Loads batches into the primary, one at a time, over one warm connection."""

    def __init__(
        self,
        database: Database,
        resources: Mapping[str, Resource],
        open_batch: Callable[[str, str], BatchObject] = open_batch,
    ) -> None:
        self._database = database
        self._open = open_batch
        self._reader = Reader(resources)
        self._statements: dict[str, Statements] = {name: statements(one) for name, one in resources.items()}

    def load(self, bucket: str, key: str) -> Outcome:
        """Load a batch.

        Raises the faults of `sluice.faults` (then nothing of the batch is in the database) and botocore's errors.
        """
        for attempt in range(1, TRIES):
            try:
                return self._load(bucket, key)
            except TryAgain:
                time.sleep(random.uniform(0, PAUSE * 2**attempt))  # noqa: S311  jitter
        return self._load(bucket, key)

    def _load(self, bucket: str, key: str) -> Outcome:
        started = time.monotonic()
        batch = self._open(bucket, key)
        connection = self._database.live_connection()
        try:
            outcome = self._transact(connection, bucket, batch)
        except BaseException as error:
            # Whatever the transaction holds is undone with the connection, also when the server is past answering.
            self._database.drop()
            if isinstance(error, pymysql.Error | OSError) and (fault := meaning(error)):
                raise fault from None
            raise
        outcome.duration_ms = round((time.monotonic() - started) * 1000)
        return outcome

    def _transact(self, connection: Connection, bucket: str, batch: BatchObject) -> Outcome:
        started = time.monotonic()
        outcome = Outcome(batch.key, batch.etag, "loaded")
        connection.begin()
        if not ledger.enter(connection, batch.key, batch.etag):
            connection.rollback()
            outcome.status = "already_loaded"
            return outcome
        applier = Applier(connection, self._statements)
        total = _pass(self._reader.parts(batch), applier)
        refused, again = total.refused, _items(total.refused)
        while again:
            # A write that was refused may have stood in the way of an earlier one to its item in this batch.
            choice = Choice(again, frozenset(one.line for one in refused))
            behind = _pass(self._reader.parts(self._open(bucket, batch.key), choice), applier)
            fresh = [one for one in behind.refused if one.item]
            total.applied += behind.applied
            total.stale -= behind.applied + len(fresh)
            refused += fresh
            again = _items(fresh)
        outcome.applied, outcome.stale, outcome.unknown_fields = total.applied, total.stale, total.unknown_fields
        if refused:
            ledger.reject(connection, batch.key, list(_rejected(self._open(bucket, batch.key), refused)))
        outcome.rejected = len(refused)
        counts = (outcome.applied, outcome.stale, outcome.rejected)
        ledger.complete(connection, batch.key, batch.etag, counts, round((time.monotonic() - started) * 1000))
        connection.commit()
        if total.oldest:
            accepted_at = msgspec.json.decode(total.oldest, type=datetime.datetime)
            outcome.lag_ms = round((datetime.datetime.now(datetime.UTC) - accepted_at).total_seconds() * 1000)
        return outcome


@dataclass
class _Total:
    """What one pass over a batch came to."""

    applied: int = 0
    stale: int = 0
    unknown_fields: int = 0
    oldest: bytes = b""
    refused: list[Refused] = field(default_factory=list)


def _pass(parts: Iterable[Part], applier: Applier) -> _Total:
    """Apply a batch part by part, the collections of each in one order."""
    total = _Total()
    for part in parts:
        total.stale += part.superseded
        total.unknown_fields += part.unknown_fields
        total.refused += part.refused
        total.oldest = min(filter(None, (total.oldest, part.oldest)), default=b"")
        for collection in sorted(part.rows):
            tally = applier.apply(collection, part.rows[collection])
            total.applied += tally.applied
            total.stale += tally.stale
            total.refused += tally.refused
    return total


def _items(refused: Iterable[Refused]) -> frozenset[Item]:
    return frozenset(one.item for one in refused if one.item)


def _rejected(batch: BatchObject, refused: Iterable[Refused]) -> Iterable[ledger.Rejected]:
    """Read a batch once more for the writes that were refused: to keep every line on the way would cost its memory."""
    reasons = {one.line: one.reason for one in refused}
    number = 0
    for block in blocks(batch):
        for text in block.removesuffix(b"\n").split(b"\n"):
            number += 1
            if number in reasons:
                yield ledger.Rejected(reasons[number], as_write(text, number), text, number)
