"""Applying a part of a batch: stage, check, merge, and set apart the rows that the database cannot take."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from sluice.database import Connection
from sluice.loading.latest import Refused, Row
from sluice.loading.staging import RowsRefused, fill, merge, run
from sluice.loading.statements import Statements

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
        """Stage rows; where the database refuses some, fewer of them at a time, and give back those it took."""
        try:
            with self._undone_if_refused():
                fill(self._connection, self._statements[collection].fill, (row.fields for _, row in rows), len(rows))
        except RowsRefused as refused:
            return [
                kept
                for fewer in _divided(collection, rows, refused, tally)
                for kept in self._stage(collection, fewer, tally)
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
            for fewer in _divided(collection, rows, refused, tally):
                self._merge(collection, self._stage(collection, fewer, tally), tally)
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


def _divided(collection: str, rows: Rows, refused: RowsRefused, tally: Tally) -> Iterator[Rows]:
    """What to try in the place of rows that were refused. When every one of them is complained of, they are set apart.

    Rows that the server complains of are tried once more among themselves, so that none is set apart because of its
    place among others. Where it names no row, each half is tried by itself.
    """
    if len(rows) in (1, len(refused.reasons)):
        for place, (key, row) in enumerate(rows):
            tally.refused.append(Refused(row.line, refused.reasons.get(place, refused.reason), (collection, key)))
        return
    accused = [row for place, row in enumerate(rows) if place in refused.reasons]
    rest = [row for place, row in enumerate(rows) if place not in refused.reasons]
    middle = 0 if accused and not refused.more else len(rest) // 2
    yield from filter(None, (rest[:middle], rest[middle:], accused))
