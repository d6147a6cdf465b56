"""Load one batch into the primary: exactly once in effect, however often somebody requests it.

This file is the path of a batch. `Loader.load_batch` chooses the mode and retries. `_load_in_mode` reads the batch
while it connects. `LoadTransaction.run` enters the batch in the ledger, applies the rows with the fast or the strict
engine (see `batch_pass`), invalidates the cache and commits.
"""

import datetime
import random
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pymysql

from sluice.cache.epoch import EpochRow, TouchedItems
from sluice.db.connection import Connection, Database
from sluice.db.errors import classify_error
from sluice.errors import LoadModeRequired, LockConflict
from sluice.load import batch_pass, exclusion_sync, ledger
from sluice.load.batch_reader import BatchObject, BatchOpener, prefetch, read_blocks
from sluice.load.fast.fast_reader import FastPart, FastReader
from sluice.load.fast.fast_writer import FastWriter
from sluice.load.high_water_mark import HighWaterMark
from sluice.load.load_data import LoadStatements, build_load_statements
from sluice.load.load_types import BatchTotals, LedgerMode, LoadMode, LoadResult, RejectedLine
from sluice.load.strict.strict_reader import StrictReader, decode_write_line
from sluice.load.strict.strict_writer import StrictWriter
from sluice.model.resource import Resource
from sluice.observability import log_request_ids

if TYPE_CHECKING:  # a function without a cache does not import its client
    from sluice.cache.invalidation import CacheInvalidator

MAX_ATTEMPTS = 4
FIRST_BACKOFF_SECONDS = 0.2  # the maximum before the first retry; it doubles with each attempt


@dataclass(frozen=True)
class LoaderContext:
    """What all loads of one loader share."""

    open_batch: BatchOpener
    ledger_mode: LedgerMode
    cache: "CacheInvalidator | None"
    statements: Mapping[str, LoadStatements]
    fast_reader: FastReader
    strict_reader: StrictReader


class Loader:
    """Loads batches into the primary, one at a time, over one warm connection."""

    def __init__(
        self,
        database: Database,
        resources: Mapping[str, Resource],
        open_batch: BatchOpener,
        ledger_mode: LedgerMode = "once",
        cache: "CacheInvalidator | None" = None,
    ) -> None:
        self._database = database
        statements = {name: build_load_statements(resource) for name, resource in resources.items()}
        self._context = LoaderContext(
            open_batch, ledger_mode, cache, statements, FastReader(resources), StrictReader(resources)
        )
        # A batch with writes that may be excluded is mostly followed by another one: start that one filtered.
        self._starts_filtered = False

    def load_batch(self, bucket: str, key: str) -> LoadResult:
        """Load a batch.

        Raises the errors of `sluice.db.errors` and UnreadableBatch, then the database has nothing of the batch; and
        botocore's errors.
        """
        mode = LoadMode.FILTERED if self._starts_filtered else LoadMode.FAST
        attempt = 1
        while True:
            try:
                return self._load_in_mode(bucket, key, mode)
            except LoadModeRequired as required:
                mode |= LoadMode(required.mode)
            except LockConflict:
                if attempt == MAX_ATTEMPTS:
                    raise
                time.sleep(random.uniform(0, FIRST_BACKOFF_SECONDS * 2**attempt))  # noqa: S311  jitter
                attempt += 1

    def _load_in_mode(self, bucket: str, key: str, mode: LoadMode) -> LoadResult:
        started = time.monotonic()
        batch = self._context.open_batch(bucket, key)
        reads_ahead = not mode & (LoadMode.STRICT | LoadMode.FILTERED)
        # A thread reads the batch while this one connects, enters the batch in the ledger and waits for the database.
        with prefetch(self._context.fast_reader.read_parts(batch) if reads_ahead else iter(())) as parts:
            connection = self._database.get_live_connection()
            try:
                transaction = LoadTransaction(self._context, connection, bucket, batch, parts, mode)
                with self._database.trace():
                    result, self._starts_filtered = transaction.run(started)
            except LoadModeRequired:
                connection.rollback()
                raise
            except BaseException as error:
                # Dropping the connection rolls the transaction back, even when the server no longer answers.
                self._database.drop_connection()
                if isinstance(error, pymysql.Error | OSError) and (classified := classify_error(error)):
                    raise classified from None
                raise
        result.duration_ms = round((time.monotonic() - started) * 1000)
        return result


@dataclass(frozen=True)
class LoadTransaction:
    """One attempt to load a batch in one mode. `connection` has no open transaction; `parts` are prefetched."""

    context: LoaderContext
    connection: Connection
    bucket: str
    batch: BatchObject
    parts: Iterator[FastPart]
    mode: LoadMode

    def run(self, started: float) -> tuple[LoadResult, bool]:
        """Load the batch and commit. `started` is a time of the monotonic clock.

        Returns the result, and whether the batch has writes that may be excluded. Raises LoadModeRequired,
        UnreadableBatch, SchemaOutdated and pymysql's errors; then nothing is committed.
        """
        result = LoadResult(self.batch.key, self.batch.etag, "loaded")
        self.connection.begin()
        if not self._enter_in_ledger():
            self.connection.rollback()
            result.status = "already_loaded"
            return result, LoadMode.FILTERED in self.mode
        mark = HighWaterMark(self.connection, self.context.statements, filtered=LoadMode.FILTERED in self.mode)
        touched = TouchedItems() if self.context.cache else None
        totals = self._apply_batch(mark, touched)
        mark.advance(totals.newest_version)
        result.applied, result.stale, result.unknown_fields = totals.applied, totals.stale, totals.unknown_fields
        result.rejected = len(totals.rejected)
        if self.context.ledger_mode != "bypass":
            counts = (result.applied, result.stale, result.rejected)
            duration_ms = round((time.monotonic() - started) * 1000)
            ledger.complete_batch(self.connection, self.batch.key, self.batch.etag, counts, duration_ms)
        self._invalidate_cache(touched)
        self.connection.commit()
        log_request_ids("load contains writes of these requests", totals.request_ids - {""})
        log_request_ids("load rejected writes of these requests", totals.rejected_request_ids - {""})
        if totals.oldest_accepted_at:
            lag = datetime.datetime.now(datetime.UTC) - totals.oldest_accepted_at
            result.lag_ms = round(lag.total_seconds() * 1000)
        return result, mark.has_excludable_writes

    def _enter_in_ledger(self) -> bool:
        """Enter the batch in the ledger, and return whether to load it."""
        if self.context.ledger_mode == "bypass":
            return True
        is_new = ledger.enter_batch(self.connection, self.batch.key, self.batch.etag)
        return is_new or self.context.ledger_mode == "reload"

    def _apply_batch(self, mark: HighWaterMark, touched: TouchedItems | None) -> BatchTotals:
        batch = self.batch
        if LoadMode.FILTERED in self.mode:
            # Within the transaction, because a rebuild that is swapped in can bring other rules.
            batch = exclusion_sync.filter_excluded_writes(
                self.connection, batch, keeps_line_numbers=LoadMode.STRICT in self.mode
            )
        if LoadMode.STRICT in self.mode:
            return self._apply_strict(batch, mark, touched)
        writer, exclusive = FastWriter(self.connection, self.context.statements), LoadMode.EXCLUSIVE in self.mode
        if LoadMode.FILTERED not in self.mode:
            return batch_pass.apply_fast(writer, self.parts, mark, touched, exclusive=exclusive)
        with prefetch(self.context.fast_reader.read_parts(batch)) as parts:
            return batch_pass.apply_fast(writer, parts, mark, touched, exclusive=exclusive)

    def _apply_strict(self, batch: BatchObject, mark: HighWaterMark, touched: TouchedItems | None) -> BatchTotals:
        def reopen_batch() -> BatchObject:
            reopened = self.context.open_batch(self.bucket, batch.key)
            if reopened.etag != batch.etag:
                raise LockConflict("the object was replaced during the load")
            return replace(reopened, transform_block=batch.transform_block)

        writer = StrictWriter(self.connection, self.context.statements)
        totals = batch_pass.apply_strict(writer, self.context.strict_reader, reopen_batch, mark, touched)
        if totals.rejected:
            rejected_writes = list(_read_rejected_writes(reopen_batch(), totals.rejected))
            totals.rejected_request_ids = {rejected.write.request_id or "" for rejected in rejected_writes}
            ledger.store_rejected_writes(self.connection, batch.key, rejected_writes)
        return totals

    def _invalidate_cache(self, touched: TouchedItems | None) -> None:
        """Nothing may come between this and the commit, because other loads wait for the row that it locks."""
        row = EpochRow(self.connection)
        if self.context.cache and touched:
            self.context.cache.invalidate_items(row, touched)
        else:
            # A cache that is disabled now would not know of this load after it is enabled again.
            row.delete_epoch()


def _read_rejected_writes(batch: BatchObject, rejected: Iterable[RejectedLine]) -> Iterator[ledger.RejectedWrite]:
    """Read a batch once more for its rejected writes. Holding every line until now would need too much memory."""
    reasons = {line.line: line.reason for line in rejected}
    number = 0
    for block in read_blocks(batch):
        for text in block.removesuffix(b"\n").split(b"\n"):
            number += 1
            if number in reasons:
                yield ledger.RejectedWrite(reasons[number], decode_write_line(text, number), text, number)
