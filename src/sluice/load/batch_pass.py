"""A pass over a batch: read it, apply it part by part, and sum up what came of it."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from sluice.cache.epoch import TouchedItems
from sluice.db.connection import Connection
from sluice.errors import RowsRejected, StrictModeRequired
from sluice.load.batch_reader import BatchObject
from sluice.load.fast.fast_reader import FastPart
from sluice.load.fast.fast_writer import FastWriter
from sluice.load.high_water_mark import HighWaterMark
from sluice.load.load_data import LoadStatements
from sluice.load.load_result import BatchTotals, ItemKey, RejectedLine
from sluice.load.strict.strict_reader import LineSelection, StrictPart, StrictReader
from sluice.load.strict.strict_writer import StrictWriter

# Greater than any version: what is read line by line is loaded alone, whatever it brings.
ABOVE_ALL_VERSIONS = "~"


def apply_fast(  # noqa: PLR0913  what a pass works with
    connection: Connection,
    statements: Mapping[str, LoadStatements],
    parts: Iterable[FastPart],
    mark: HighWaterMark,
    *,
    touched: TouchedItems | None,
    exclusive: bool,
) -> BatchTotals:
    """Apply a plain batch, and say which items it touched.

    Raises NotPlain also when the database refuses a row, NotAlone, MayBeExcluded, and pymysql's errors.
    """
    total, routes = BatchTotals(), FastWriter(connection, statements)
    for part in parts:
        reached = mark.acquire_lock(part.newest_version, part.oldest_version, exclusive=exclusive)
        if touched:
            touched.add_rows(part.rows)
        total.stale += part.superseded
        total.oldest_accepted_at = min(filter(None, (total.oldest_accepted_at, part.oldest_accepted_at)), default=None)
        for collection in sorted(part.rows):
            try:
                tally = routes.apply_rows(collection, part, reached, total.newest_version)
            except RowsRejected:
                raise StrictModeRequired from None
            total.applied += tally.applied
            total.stale += tally.stale
        total.newest_version = max(total.newest_version, part.newest_version)
    return total


def apply_strict(  # noqa: PLR0913  what a pass works with
    connection: Connection,
    statements: Mapping[str, LoadStatements],
    reader: StrictReader,
    reopen_batch: Callable[[], BatchObject],
    mark: HighWaterMark,
    *,
    touched: TouchedItems | None,
) -> BatchTotals:
    """Apply whatever can be applied of a batch, and say what was refused and which items were touched.

    Raises UnreadableBatch, SchemaOutdated, MayBeExcluded, and pymysql's errors but those about rows.
    """
    mark.acquire_lock(ABOVE_ALL_VERSIONS, "", exclusive=True)
    applier = StrictWriter(connection, statements)
    total = _pass(reader.read_parts(reopen_batch()), applier, touched)
    again = _items(total.rejected)
    while again:
        # A write that was refused may have stood in the way of an earlier one to its item in this batch.
        choice = LineSelection(again, frozenset(one.line for one in total.rejected))
        behind = _pass(reader.read_parts(reopen_batch(), choice), applier, None)  # none but items of the first pass
        fresh = [one for one in behind.rejected if one.item]
        total.applied += behind.applied
        total.stale -= behind.applied + len(fresh)
        total.rejected += fresh
        again = _items(fresh)
    return total


def _pass(parts: Iterator[StrictPart], applier: StrictWriter, touched: TouchedItems | None) -> BatchTotals:
    """Apply a batch part by part, the collections of each in one order."""
    total = BatchTotals()
    for part in parts:
        if touched:
            touched.add_rows(part.rows)
        total.stale += part.superseded
        total.unknown_fields += part.unknown_fields
        total.rejected += part.rejected
        total.newest_version = max(total.newest_version, part.newest_version)
        total.oldest_accepted_at = min(filter(None, (total.oldest_accepted_at, part.oldest_accepted_at)), default=None)
        for collection in sorted(part.rows):
            tally = applier.apply_rows(collection, part.rows[collection])
            total.applied += tally.applied
            total.stale += tally.stale
            total.rejected += tally.rejected
    return total


def _items(refused: Iterable[RejectedLine]) -> frozenset[ItemKey]:
    return frozenset(one.item for one in refused if one.item)
