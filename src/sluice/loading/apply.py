"""Applying a part of a batch: stage, check, merge, and set apart the rows that the database cannot take."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import pymysql

from sluice.database import Connection
from sluice.faults import meaning
from sluice.loading.latest import Refused, Row
from sluice.loading.staging import RowsRefused, fill, merge, run
from sluice.loading.statements import Statements

# Classes of SQLSTATE: a value, a constraint, what a trigger says.
_ABOUT_ROWS = ("22", "23", "45")
Rows = list[tuple[bytes, Row]]  # by key


@dataclass
class Tally:
    """What became of rows: changed an item, lost to a later version, or could not be taken."""

    applied: int = 0
    stale: int = 0
    refused: list[Refused] = field(default_factory=list)


class Applier:
    """Applies rows over one connection, within the transaction that is open on it."""

    def __init__(self, connection: Connection, statements: Mapping[str, Statements]) -> None:
        self._connection = connection
        self._statements = statements
        self._staged: set[str] = set()

    def apply(self, collection: str, rows: Mapping[bytes, Row]) -> Tally:
        """Merge the rows of a collection into its table, in key order. Raises pymysql's errors but those about rows."""
        if collection not in self._staged:
            run(self._connection, self._statements[collection].make)
            self._staged.add(collection)
        tally = Tally()
        # One merge in the table's order, here and in every other loader, is what keeps loads from deadlocking: so all
        # that the stage refuses is found before any row of the table is touched.
        self._merge(collection, self._stage(collection, sorted(rows.items()), tally), tally)
        return tally

    def _stage(self, collection: str, rows: Rows, tally: Tally) -> Rows:
        """Stage rows; where the database refuses some, each half by itself, down to the single row."""
        try:
            with self._undone_if_refused():
                fill(self._connection, self._statements[collection].fill, (row.fields for _, row in rows), len(rows))
        except RowsRefused as refused:
            return [
                kept
                for half in _halves(collection, rows, refused, tally)
                for kept in self._stage(collection, half, tally)
            ]
        return rows

    def _merge(self, collection: str, rows: Rows, tally: Tally) -> None:
        """Merge the staged rows. Should only the table refuse some, go on as in staging."""
        if not rows:
            return
        statements = self._statements[collection]
        try:
            with self._undone_if_refused():
                applied = merge(self._connection, statements.merge)
        except RowsRefused as refused:
            run(self._connection, statements.empty)
            for half in _halves(collection, rows, refused, tally):
                self._merge(collection, self._stage(collection, half, tally), tally)
            return
        run(self._connection, statements.empty)
        tally.applied += applied
        tally.stale += len(rows) - applied

    @contextmanager
    def _undone_if_refused(self) -> Iterator[None]:
        """What is done within is undone when the database refuses rows. Raises RowsRefused then."""
        run(self._connection, "SAVEPOINT part")
        try:
            yield
        except RowsRefused:
            run(self._connection, "ROLLBACK TO SAVEPOINT part")
            raise
        except pymysql.Error as error:
            if not about_rows(error):
                raise
            run(self._connection, "ROLLBACK TO SAVEPOINT part")
            raise RowsRefused(str(error.args[-1])) from None


def about_rows(error: pymysql.Error) -> bool:
    """Whether the database complains of the rows themselves, and not of its own state."""
    return meaning(error) is None and (
        isinstance(error, pymysql.DataError) or (error.sqlstate or "").startswith(_ABOUT_ROWS)
    )


def _halves(collection: str, rows: Rows, refused: RowsRefused, tally: Tally) -> Iterator[Rows]:
    """What to try in the place of rows that were refused: a single one is set apart."""
    if len(rows) == 1:
        key, row = rows[0]
        tally.refused.append(Refused(row.line, refused.reason, (collection, key)))
        return
    middle = len(rows) // 2
    yield rows[:middle]
    yield rows[middle:]
