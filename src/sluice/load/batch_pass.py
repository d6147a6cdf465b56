"""One pass over a batch with either engine: read it part by part, apply each part, and add up the results."""

from collections.abc import Callable, Iterable, Iterator

from sluice.cache.epoch import TouchedItems
from sluice.errors import LoadModeRequired, RowsRejected
from sluice.load.batch_reader import BatchObject
from sluice.load.fast.fast_reader import FastPart
from sluice.load.fast.fast_writer import FastWriter
from sluice.load.high_water_mark import HighWaterMark
from sluice.load.load_types import BatchTotals, ItemKey, LoadMode, RejectedLine
from sluice.load.strict.strict_reader import LineSelection, StrictPart, StrictReader
from sluice.load.strict.strict_writer import StrictWriter
from sluice.model.versions import ABOVE_ALL_VERSIONS


def apply_fast(
    writer: FastWriter,
    parts: Iterable[FastPart],
    mark: HighWaterMark,
    touched: TouchedItems | None,
    *,
    exclusive: bool,
) -> BatchTotals:
    """Apply a batch with the fast engine, and add its items to `touched`.

    Raises LoadModeRequired, also when the database rejects a row, and pymysql's errors.
    """
    totals = BatchTotals()
    for part in parts:
        high_water = mark.acquire_lock(part.newest_version, part.oldest_version, exclusive=exclusive)
        if touched:
            touched.add_rows(part.rows)
        totals.stale += part.superseded
        totals.request_ids |= part.request_ids
        totals.include_acceptance(part.oldest_accepted_at)
        # All loads write the collections in the same order, so that they cannot deadlock.
        for collection in sorted(part.rows):
            try:
                result = writer.apply_rows(collection, part, high_water, totals.newest_version)
            except RowsRejected:
                raise LoadModeRequired(LoadMode.STRICT) from None
            totals.applied += result.applied
            totals.stale += result.stale
        totals.newest_version = max(totals.newest_version, part.newest_version)
    return totals


def apply_strict(
    writer: StrictWriter,
    reader: StrictReader,
    reopen_batch: Callable[[], BatchObject],
    mark: HighWaterMark,
    touched: TouchedItems | None,
) -> BatchTotals:
    """Apply every write of a batch that the database accepts; collect the rejected ones, and add items to `touched`.

    Raises UnreadableBatch, SchemaOutdated, LoadModeRequired, and pymysql's errors except those about rows.
    """
    # The strict engine does not know the versions in advance, so it locks exclusively.
    mark.acquire_lock(ABOVE_ALL_VERSIONS, "", exclusive=True)
    totals = _apply_parts(reader.read_parts(reopen_batch()), writer, touched)
    items = _rejected_items(totals.rejected)
    while items:
        # A rejected write can have superseded an earlier write to its item in this batch. Apply the earlier one now.
        selection = LineSelection(items, frozenset(rejected.line for rejected in totals.rejected))
        # This pass touches only items of the first pass.
        earlier = _apply_parts(reader.read_parts(reopen_batch(), selection), writer, None)
        newly_rejected = [rejected for rejected in earlier.rejected if rejected.item]
        totals.applied += earlier.applied
        totals.stale -= earlier.applied + len(newly_rejected)
        totals.rejected += newly_rejected
        items = _rejected_items(newly_rejected)
    return totals


def _apply_parts(parts: Iterator[StrictPart], writer: StrictWriter, touched: TouchedItems | None) -> BatchTotals:
    totals = BatchTotals()
    for part in parts:
        if touched:
            touched.add_rows(part.rows)
        totals.stale += part.superseded
        totals.unknown_fields += part.unknown_fields
        totals.rejected += part.rejected
        totals.request_ids |= part.request_ids
        totals.newest_version = max(totals.newest_version, part.newest_version)
        totals.include_acceptance(part.oldest_accepted_at)
        for collection in sorted(part.rows):
            result = writer.apply_rows(collection, part.rows[collection])
            totals.applied += result.applied
            totals.stale += result.stale
            totals.rejected += result.rejected
    return totals


def _rejected_items(rejected: Iterable[RejectedLine]) -> frozenset[ItemKey]:
    return frozenset(line.item for line in rejected if line.item)
