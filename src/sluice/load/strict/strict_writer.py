"""Write the rows of the strict engine into a table: stage, check, merge, and separate the rows that are rejected."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sluice.db.connection import Connection
from sluice.errors import RowsRejected
from sluice.load.load_data import LoadStatements, load_rows, merge_rows, run_statement
from sluice.load.load_types import ApplyResult, RejectedLine
from sluice.load.strict.strict_reader import StrictRow

SortedRows = list[tuple[bytes, StrictRow]]  # by key


class StrictWriter:
    """Writes rows over one connection, within its open transaction."""

    def __init__(self, connection: Connection, statements: Mapping[str, LoadStatements]) -> None:
        self._connection = connection
        self._statements = statements
        self._staged_collections: set[str] = set()

    def apply_rows(self, collection: str, rows: Mapping[bytes, StrictRow]) -> ApplyResult:
        """Merge the rows of a collection into its table, in key order. Raises pymysql's errors but those about rows."""
        if collection not in self._staged_collections:
            run_statement(self._connection, self._statements[collection].create_stage)
            self._staged_collections.add(collection)
        result = ApplyResult()
        # All loaders merge in the order of the table, so that they cannot deadlock. Therefore the stage has to reject
        # rows before the load touches any row of the table.
        accepted = self._stage_rows(collection, sorted(rows.items()), result)
        self._merge_stage(collection, accepted, result)
        return result

    def _stage_rows(self, collection: str, rows: SortedRows, result: ApplyResult) -> SortedRows:
        """Stage rows, and return the accepted ones. If the database rejects some, stage smaller groups of them."""
        statement = self._statements[collection].fill_stage
        try:
            with self._roll_back_if_rejected():
                load_rows(self._connection, statement, (row.fields for _, row in rows), len(rows))
        except RowsRejected as rejection:
            return [
                accepted
                for group in _divide_rows(collection, rows, rejection, result)
                for accepted in self._stage_rows(collection, group, result)
            ]
        return rows

    def _merge_stage(self, collection: str, rows: SortedRows, result: ApplyResult) -> None:
        """Merge the staged rows. If the table rejects some that the stage accepted, merge smaller groups of them."""
        if not rows:
            return
        statements = self._statements[collection]
        try:
            with self._roll_back_if_rejected():
                applied = merge_rows(self._connection, statements.merge_stage)
        except RowsRejected as rejection:
            run_statement(self._connection, statements.empty_stage)
            for group in _divide_rows(collection, rows, rejection, result):
                self._merge_stage(collection, self._stage_rows(collection, group, result), result)
            return
        run_statement(self._connection, statements.empty_stage)
        result.applied += applied
        result.stale += len(rows) - applied

    @contextmanager
    def _roll_back_if_rejected(self) -> Iterator[None]:
        """Undo the statements within when the database rejects rows. Raises RowsRejected then."""
        run_statement(self._connection, "SAVEPOINT part")
        try:
            yield
        except RowsRejected:
            run_statement(self._connection, "ROLLBACK TO SAVEPOINT part")
            raise


def _divide_rows(
    collection: str, rows: SortedRows, rejection: RowsRejected, result: ApplyResult
) -> Iterator[SortedRows]:
    """Divide rejected rows into groups to try next. If the server names every row, all of them are rejected.

    The rows that the server names are tried once more as a group, because a row's position among others can cause its
    rejection. If the server names no row, each half is tried separately.
    """
    if len(rows) in (1, len(rejection.reasons)):
        for position, (key, row) in enumerate(rows):
            reason = rejection.reasons.get(position, rejection.reason)
            result.rejected.append(RejectedLine(row.line, reason, (collection, key)))
        return
    named = [row for position, row in enumerate(rows) if position in rejection.reasons]
    rest = [row for position, row in enumerate(rows) if position not in rejection.reasons]
    middle = 0 if named and not rejection.has_more else len(rest) // 2
    yield from filter(None, (rest[:middle], rest[middle:], named))
