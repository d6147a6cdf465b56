"""Load one batch: exactly once in effect, however often it is requested."""

import datetime
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import pymysql

from sluice.cache.epoch import EpochRow, TouchedItems
from sluice.db.connection import Connection, Database
from sluice.db.errors import classify_error
from sluice.errors import ExclusiveModeRequired, FilteredModeRequired, LockConflict, StrictModeRequired
from sluice.load import batch_pass as passes
from sluice.load import exclusion_sync as excluded
from sluice.load import ledger
from sluice.load.batch_reader import BatchObject, open_batch, prefetch, read_blocks
from sluice.load.fast.fast_reader import FastPart, FastReader
from sluice.load.high_water_mark import HighWaterMark
from sluice.load.load_data import LoadStatements, build_load_statements
from sluice.load.load_result import BatchTotals, LoadResult, RejectedLine
from sluice.load.strict.strict_reader import StrictReader, decode_write_line
from sluice.model.resource import Resource

if TYPE_CHECKING:
    from sluice.cache.invalidation import CacheInvalidator

# What a load does with the ledger: `once` enters a batch that is not in it and loads no other; `again` enters it and
# loads it at any rate; `never` neither asks nor enters, for what is no whole batch.
LedgerMode = Literal["once", "again", "never"]


@dataclass(frozen=True)
class LoadMode:
    """How a load is tried: plainly and with others at first; with care, alone, and without what was excluded, when that
    turns out to be needed."""

    strict: bool = False
    exclusive: bool = False
    filtered: bool = False


@dataclass(frozen=True)
class LoaderContext:
    """What the loads of one loader have in common. `open_batch` takes bucket and key."""

    open_batch: Callable[[str, str], BatchObject]
    ledger_mode: LedgerMode
    cache: "CacheInvalidator | None"
    statements: Mapping[str, LoadStatements]
    fast_reader: FastReader
    strict_reader: StrictReader


@dataclass(frozen=True)
class LoadTransaction:
    """What one try works with: a connection without a transaction, the batch, and its plain parts, read ahead."""

    context: LoaderContext
    connection: Connection
    bucket: str
    batch: BatchObject
    parts: Iterator[FastPart]
    mode: LoadMode

    def run(self, started: float) -> tuple[LoadResult, bool]:
        """Load the batch and commit. `started` is on the monotonic clock.

        Returns what it came to, and whether it had writes that may have been excluded. Raises NotPlain, NotAlone and
        MayBeExcluded (to be tried in another manner), the faults of reading, and pymysql's errors; nothing is committed
        then.
        """
        outcome = LoadResult(self.batch.key, self.batch.etag, "loaded")
        self.connection.begin()
        if not self._entered():
            self.connection.rollback()
            outcome.status = "already_loaded"
            return outcome, self.mode.filtered
        mark = HighWaterMark(self.connection, self.context.statements, filtered=self.mode.filtered)
        touched = TouchedItems() if self.context.cache else None
        total = self._apply(mark, touched)
        mark.advance(total.newest_version)
        outcome.applied, outcome.stale, outcome.unknown_fields = total.applied, total.stale, total.unknown_fields
        outcome.rejected = len(total.rejected)
        if self.context.ledger_mode != "never":
            counts = (outcome.applied, outcome.stale, outcome.rejected)
            took = round((time.monotonic() - started) * 1000)
            ledger.complete_batch(self.connection, self.batch.key, self.batch.etag, counts, took)
        self._withdraw(touched)
        self.connection.commit()
        if total.oldest_accepted_at:
            outcome.lag_ms = round(
                (datetime.datetime.now(datetime.UTC) - total.oldest_accepted_at).total_seconds() * 1000
            )
        return outcome, mark.has_excludable_writes

    def _entered(self) -> bool:
        """Whether the batch is to be loaded."""
        if self.context.ledger_mode == "never":
            return True
        return (
            ledger.enter_batch(self.connection, self.batch.key, self.batch.etag) or self.context.ledger_mode == "again"
        )

    def _withdraw(self, touched: TouchedItems | None) -> None:
        """Nothing may come between this and the commit: other loads wait for the row that it locks."""
        row = EpochRow(self.connection)
        if self.context.cache and touched:
            self.context.cache.invalidate_items(row, touched)
        else:
            # A cache that was turned off would not know of this load when it is turned on again.
            row.delete_epoch()

    def _apply(self, mark: HighWaterMark, touched: TouchedItems | None) -> BatchTotals:
        batch = self.batch
        if self.mode.filtered:
            # Within the transaction: a rebuild that is swapped in could bring other rules.
            batch = excluded.filter_excluded_writes(self.connection, batch, keeps_line_numbers=self.mode.strict)
        if not self.mode.strict:
            return self._apply_plainly(batch, mark, touched)

        def open_again() -> BatchObject:
            found = self.context.open_batch(self.bucket, batch.key)
            if found.etag != batch.etag:
                raise LockConflict("the object was written anew meanwhile")
            return replace(found, transform_block=batch.transform_block)

        means = self.context
        total = passes.apply_strict(
            self.connection, means.statements, means.strict_reader, open_again, mark, touched=touched
        )
        if total.rejected:
            ledger.store_rejected_writes(self.connection, batch.key, list(_rejected(open_again(), total.rejected)))
        return total

    def _apply_plainly(self, batch: BatchObject, mark: HighWaterMark, touched: TouchedItems | None) -> BatchTotals:
        statements, alone = self.context.statements, self.mode.exclusive
        if not self.mode.filtered:
            return passes.apply_fast(self.connection, statements, self.parts, mark, touched=touched, exclusive=alone)
        with prefetch(self.context.fast_reader.read_parts(batch)) as parts:
            return passes.apply_fast(self.connection, statements, parts, mark, touched=touched, exclusive=alone)


def _rejected(batch: BatchObject, refused: Iterable[RejectedLine]) -> Iterable[ledger.RejectedWrite]:
    """Read a batch once more for the writes that were refused: to keep every line on the way would cost its memory."""
    reasons = {one.line: one.reason for one in refused}
    number = 0
    for block in read_blocks(batch):
        for text in block.removesuffix(b"\n").split(b"\n"):
            number += 1
            if number in reasons:
                yield ledger.RejectedWrite(reasons[number], decode_write_line(text, number), text, number)


MAX_ATTEMPTS = 4


FIRST_BACKOFF_SECONDS = 0.2  # seconds, the most before the first try again


class Loader:
    """Loads batches into the primary, one at a time, over one warm connection."""

    def __init__(
        self,
        database: Database,
        resources: Mapping[str, Resource],
        open_batch: Callable[[str, str], BatchObject] = open_batch,
        ledger_mode: LedgerMode = "once",
        cache: "CacheInvalidator | None" = None,
    ) -> None:
        self._database = database
        by_name = {name: build_load_statements(one) for name, one in resources.items()}
        self._means = LoaderContext(
            open_batch, ledger_mode, cache, by_name, FastReader(resources), StrictReader(resources)
        )
        # Whether the last batch had writes that may have been excluded: then the next one has too.
        self._filters = False

    def load_batch(self, bucket: str, key: str) -> LoadResult:
        """Load a batch.

        Raises the faults of `sluice.db.errors` (then nothing of the batch is in the database) and botocore's errors.
        """
        manner, attempt = LoadMode(filtered=self._filters), 1
        while True:
            try:
                return self._load(bucket, key, manner)
            except StrictModeRequired:
                manner = replace(manner, strict=True)
            except ExclusiveModeRequired:
                manner = replace(manner, exclusive=True)
            except FilteredModeRequired:
                manner = replace(manner, filtered=True)
            except LockConflict:
                if attempt == MAX_ATTEMPTS:
                    raise
                time.sleep(random.uniform(0, FIRST_BACKOFF_SECONDS * 2**attempt))  # noqa: S311  jitter
                attempt += 1

    def _load(self, bucket: str, key: str, manner: LoadMode) -> LoadResult:
        started = time.monotonic()
        batch = self._means.open_batch(bucket, key)
        plain = iter(()) if manner.strict or manner.filtered else self._means.fast_reader.read_parts(batch)
        # Reading goes on ahead while the connection is made, the ledger asked and the database at work.
        with prefetch(plain) as parts:
            connection = self._database.get_live_connection()
            try:
                outcome, self._filters = LoadTransaction(self._means, connection, bucket, batch, parts, manner).run(
                    started
                )
            except BaseException as error:
                if isinstance(error, StrictModeRequired | ExclusiveModeRequired | FilteredModeRequired):
                    connection.rollback()
                    raise
                # Whatever the transaction holds is undone with the connection, also when the server is past answering.
                self._database.drop_connection()
                if isinstance(error, pymysql.Error | OSError) and (fault := classify_error(error)):
                    raise fault from None
                raise
        outcome.duration_ms = round((time.monotonic() - started) * 1000)
        return outcome
