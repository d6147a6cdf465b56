"""Applying a part of a batch: stage, check, merge, and set apart the rows that the database cannot take."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sluice.db.connection import Connection
from sluice.errors import RowsRejected
from sluice.load.load_data import LoadStatements, load_rows, merge_rows, run_statement
from sluice.load.load_result import ApplyResult, RejectedLine
from sluice.load.strict.strict_reader import StrictRow

SortedRows = list[tuple[bytes, StrictRow]]  # by key


class StrictWriter:
    """Applies rows over one connection, within the transaction that is open on it."""

    def __init__(self, connection: Connection, statements: Mapping[str, LoadStatements]) -> None:
        self._connection = connection
        self._statements = statements
        self._staged: set[str] = set()

    def apply_rows(self, collection: str, rows: Mapping[bytes, StrictRow]) -> ApplyResult:
        """Merge the rows of a collection into its table, in key order. Raises pymysql's errors but those about rows."""
        if collection not in self._staged:
            run_statement(self._connection, self._statements[collection].create_stage)
            self._staged.add(collection)
        tally = ApplyResult()
        # One merge in the table's order, here and in every other loader, is what keeps loads from deadlocking: so all
        # that the stage refuses is found before any row of the table is touched.
        self._merge(collection, self._stage(collection, sorted(rows.items()), tally), tally)
        return tally

    def _stage(self, collection: str, rows: SortedRows, tally: ApplyResult) -> SortedRows:
        """Stage rows; where the database refuses some, fewer of them at a time, and give back those it took."""
        try:
            with self._undone_if_refused():
                load_rows(
                    self._connection,
                    self._statements[collection].fill_stage,
                    (row.fields for _, row in rows),
                    len(rows),
                )
        except RowsRejected as refused:
            return [
                kept
                for fewer in _divided(collection, rows, refused, tally)
                for kept in self._stage(collection, fewer, tally)
            ]
        return rows

    def _merge(self, collection: str, rows: SortedRows, tally: ApplyResult) -> None:
        """Merge the staged rows. Should only the table refuse some, go on as in staging."""
        if not rows:
            return
        statements = self._statements[collection]
        try:
            with self._undone_if_refused():
                applied = merge_rows(self._connection, statements.merge_stage)
        except RowsRejected as refused:
            run_statement(self._connection, statements.empty_stage)
            for fewer in _divided(collection, rows, refused, tally):
                self._merge(collection, self._stage(collection, fewer, tally), tally)
            return
        run_statement(self._connection, statements.empty_stage)
        tally.applied += applied
        tally.stale += len(rows) - applied

    @contextmanager
    def _undone_if_refused(self) -> Iterator[None]:
        """What is done within is undone when the database refuses rows. Raises RowsRefused then."""
        run_statement(self._connection, "SAVEPOINT part")
        try:
            yield
        except RowsRejected:
            run_statement(self._connection, "ROLLBACK TO SAVEPOINT part")
            raise


def _divided(collection: str, rows: SortedRows, refused: RowsRejected, tally: ApplyResult) -> Iterator[SortedRows]:
    """What to try in the place of rows that were refused. When every one of them is complained of, they are set apart.

    Rows that the server complains of are tried once more among themselves, so that none is set apart because of its
    place among others. Where it names no row, each half is tried by itself.
    """
    if len(rows) in (1, len(refused.reasons)):
        for place, (key, row) in enumerate(rows):
            tally.rejected.append(RejectedLine(row.line, refused.reasons.get(place, refused.reason), (collection, key)))
        return
    accused = [row for place, row in enumerate(rows) if place in refused.reasons]
    rest = [row for place, row in enumerate(rows) if place not in refused.reasons]
    middle = 0 if accused and not refused.has_more else len(rest) // 2
    yield from filter(None, (rest[:middle], rest[middle:], accused))
