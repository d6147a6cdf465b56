"""Load one batch: exactly once in effect, however often it is asked for."""

import datetime
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import pymysql

from sluice.archive import BatchObject, blocks, open_batch
from sluice.cache.generation import Generations
from sluice.cache.touched import Touched
from sluice.database import Connection, Database
from sluice.faults import TryAgain, meaning
from sluice.loading import excluded, ledger, passes
from sluice.loading.ahead import ahead
from sluice.loading.latest import Reader, Refused, as_write
from sluice.loading.mark import Mark, MayBeExcluded, NotAlone
from sluice.loading.passes import Total
from sluice.loading.plain import NotPlain, PlainPart, PlainReader
from sluice.loading.statements import Statements, statements
from sluice.resource import Resource

if TYPE_CHECKING:  # a function without a cache does not import its client
    from sluice.cache.withdrawal import Withdrawal

# What a load does with the ledger: `once` enters a batch that is not in it and loads no other; `again` enters it and
# loads it at any rate; `never` neither asks nor enters, for what is no whole batch.
Entry = Literal["once", "again", "never"]

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


@dataclass(frozen=True)
class _Manner:
    """How a load is tried: plainly and with others at first; with care, alone, and without what was excluded, when that
    turns out to be needed."""

    careful: bool = False
    alone: bool = False
    filtered: bool = False


class Loader:
    """Loads batches into the primary, one at a time, over one warm connection."""

    def __init__(
        self,
        database: Database,
        resources: Mapping[str, Resource],
        open_batch: Callable[[str, str], BatchObject] = open_batch,
        entry: Entry = "once",
        cache: "Withdrawal | None" = None,
    ) -> None:
        self._database = database
        self._open = open_batch
        self._entry = entry
        self._cache = cache
        self._plain_reader = PlainReader(resources)
        self._reader = Reader(resources)
        self._statements: dict[str, Statements] = {name: statements(one) for name, one in resources.items()}
        # Whether the last batch had writes that may have been excluded: then the next one has too.
        self._filters = False

    def load(self, bucket: str, key: str) -> Outcome:
        """Load a batch.

        Raises the faults of `sluice.faults` (then nothing of the batch is in the database) and botocore's errors.
        """
        manner, attempt = _Manner(filtered=self._filters), 1
        while True:
            try:
                return self._load(bucket, key, manner)
            except NotPlain:
                manner = replace(manner, careful=True)
            except NotAlone:
                manner = replace(manner, alone=True)
            except MayBeExcluded:
                manner = replace(manner, filtered=True)
            except TryAgain:
                if attempt == TRIES:
                    raise
                time.sleep(random.uniform(0, PAUSE * 2**attempt))  # noqa: S311  jitter
                attempt += 1

    def _load(self, bucket: str, key: str, manner: _Manner) -> Outcome:
        started = time.monotonic()
        batch = self._open(bucket, key)
        # Reading goes on ahead while the connection is made, the ledger asked and the database at work.
        with ahead(iter(()) if manner.careful or manner.filtered else self._plain_reader.parts(batch)) as parts:
            connection = self._database.live_connection()
            try:
                outcome = self._transact(_Transaction(connection, bucket, batch, parts, manner), started)
            except BaseException as error:
                if isinstance(error, NotPlain | NotAlone | MayBeExcluded):
                    connection.rollback()
                    raise
                # Whatever the transaction holds is undone with the connection, also when the server is past answering.
                self._database.drop()
                if isinstance(error, pymysql.Error | OSError) and (fault := meaning(error)):
                    raise fault from None
                raise
        outcome.duration_ms = round((time.monotonic() - started) * 1000)
        return outcome

    def _transact(self, load: "_Transaction", started: float) -> Outcome:
        connection, batch = load.connection, load.batch
        outcome = Outcome(batch.key, batch.etag, "loaded")
        connection.begin()
        if not self._entered(connection, batch):
            connection.rollback()
            outcome.status = "already_loaded"
            return outcome
        mark = Mark(connection, self._statements, filtered=load.manner.filtered)
        touched = Touched() if self._cache else None
        total = self._apply(load, mark, touched)
        mark.move(total.newest)
        outcome.applied, outcome.stale, outcome.unknown_fields = total.applied, total.stale, total.unknown_fields
        outcome.rejected = len(total.refused)
        counts = (outcome.applied, outcome.stale, outcome.rejected)
        if self._entry != "never":
            ledger.complete(connection, batch.key, batch.etag, counts, round((time.monotonic() - started) * 1000))
        self._withdraw(connection, touched)
        connection.commit()
        self._filters = mark.near
        if total.oldest:
            outcome.lag_ms = round((datetime.datetime.now(datetime.UTC) - total.oldest).total_seconds() * 1000)
        return outcome

    def _entered(self, connection: Connection, batch: BatchObject) -> bool:
        """Whether the batch is to be loaded."""
        if self._entry == "never":
            return True
        return ledger.enter(connection, batch.key, batch.etag) or self._entry == "again"

    def _withdraw(self, connection: Connection, touched: Touched | None) -> None:
        """Nothing may come between this and the commit: other loads wait for the row that it locks."""
        row = Generations(connection)
        if self._cache and touched:
            self._cache.withdraw(row, touched)
        else:
            # A cache that was turned off would not know of this load when it is turned on again.
            row.end()

    def _apply(self, load: "_Transaction", mark: Mark, touched: Touched | None) -> Total:
        if load.manner.filtered:
            # Within the transaction: a rebuild that is swapped in could bring other rules.
            load = replace(load, batch=excluded.left_out(load.connection, load.batch, numbered=load.manner.careful))
        if not load.manner.careful:
            return self._apply_plainly(load, mark, touched)

        def open_again() -> BatchObject:
            found = self._open(load.bucket, load.batch.key)
            if found.etag != load.batch.etag:
                raise TryAgain("the object was written anew meanwhile")
            return replace(found, change=load.batch.change)

        total = passes.careful(load.connection, self._statements, self._reader, open_again, mark, touched=touched)
        if total.refused:
            ledger.reject(load.connection, load.batch.key, list(_rejected(open_again(), total.refused)))
        return total

    def _apply_plainly(self, load: "_Transaction", mark: Mark, touched: Touched | None) -> Total:
        alone = load.manner.alone
        if not load.manner.filtered:
            return passes.plain(load.connection, self._statements, load.parts, mark, touched=touched, alone=alone)
        with ahead(self._plain_reader.parts(load.batch)) as parts:
            return passes.plain(load.connection, self._statements, parts, mark, touched=touched, alone=alone)


@dataclass(frozen=True)
class _Transaction:
    """What one try at a load works with."""

    connection: Connection
    bucket: str
    batch: BatchObject
    parts: Iterator[PlainPart]
    manner: _Manner


def _rejected(batch: BatchObject, refused: Iterable[Refused]) -> Iterable[ledger.Rejected]:
    """Read a batch once more for the writes that were refused: to keep every line on the way would cost its memory."""
    reasons = {one.line: one.reason for one in refused}
    number = 0
    for block in blocks(batch):
        for text in block.removesuffix(b"\n").split(b"\n"):
            number += 1
            if number in reasons:
                yield ledger.Rejected(reasons[number], as_write(text, number), text, number)
