"""Load one batch: exactly once in effect, however often it is asked for."""

import datetime
import random
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import pymysql
from pymysql.connections import Connection

from sluice.archive import BatchObject, blocks, open_batch
from sluice.database import Database
from sluice.faults import TryAgain, meaning
from sluice.loading import ledger
from sluice.loading.apply import Applier
from sluice.loading.latest import Reader, Refused
from sluice.loading.statements import Statements, statements
from sluice.records import from_line
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

    def __init__(self, database: Database, resources: Mapping[str, Resource]) -> None:
        self._database = database
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
        batch = open_batch(bucket, key)
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

    def _transact(self, connection: Connection[Any], bucket: str, batch: BatchObject) -> Outcome:
        started = time.monotonic()
        outcome = Outcome(batch.key, batch.etag, "loaded")
        connection.begin()
        if not ledger.enter(connection, batch.key, batch.etag):
            connection.rollback()
            outcome.status = "already_loaded"
            return outcome
        applier = Applier(connection, self._statements)
        refused: list[Refused] = []
        oldest = b""
        for part in self._reader.parts(batch):
            outcome.stale += part.superseded
            outcome.unknown_fields += part.unknown_fields
            refused += part.refused
            oldest = min(filter(None, (oldest, part.oldest)), default=b"")
            for collection in sorted(part.rows):
                tally = applier.apply(collection, part.rows[collection])
                outcome.applied += tally.applied
                outcome.stale += tally.stale
                refused += tally.refused
        if refused:
            ledger.reject(connection, batch.key, list(_rejected(open_batch(bucket, batch.key), refused)))
        outcome.rejected = len(refused)
        counts = (outcome.applied, outcome.stale, outcome.rejected)
        ledger.complete(connection, batch.key, batch.etag, counts, round((time.monotonic() - started) * 1000))
        connection.commit()
        if oldest:
            accepted_at = msgspec.json.decode(oldest, type=datetime.datetime)
            outcome.lag_ms = round((datetime.datetime.now(datetime.UTC) - accepted_at).total_seconds() * 1000)
        return outcome


def _rejected(batch: BatchObject, refused: Iterable[Refused]) -> Iterable[ledger.Rejected]:
    """Read a batch once more for the writes that were refused: to keep every line on the way would cost its memory."""
    reasons = {one.line: one.reason for one in refused}
    number = 0
    for block in blocks(batch):
        for text in block.removesuffix(b"\n").split(b"\n"):
            number += 1
            if number in reasons:
                yield ledger.Rejected(reasons[number], from_line(text), text, number)
