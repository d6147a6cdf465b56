"""The statements of one read on one replica, and the moment of the state that all of their results show
(`sluice.db.moment`).

Each statement selects the moment too, in the same snapshot as its rows. A result without rows shows no moment: another
statement reads it, and verifies in its snapshot that there are still none. If a load was applied between two
statements of a read, they show two states, and no moment names both. Then the read is repeated in one snapshot.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from sluice.db.connection import Database, Queries
from sluice.db.moment import MOMENT_COLUMN, SELECT_MOMENT, get_moment

T = TypeVar("T")


def read_one_state(database: Database, select: Callable[[Queries], T]) -> tuple[T, str]:
    """Read with the statements of `select` from one replica. Return the result, and the moment of its state.

    The moment is an empty text if it is unknown. Raises the errors of `sluice.db.errors`.
    """
    statements = Statements(database)
    result = select(statements)
    if statements.moment is None:
        with _open_snapshot(database):
            statements = Statements(database)
            result = select(statements)
    return result, statements.moment or ""


@contextmanager
def _open_snapshot(database: Database) -> Iterator[None]:
    """Let all statements see one state of the database, while the connection is the same."""
    database.query("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY", ())
    try:
        yield
        database.query("COMMIT", ())
    except BaseException:
        database.drop_connection()
        raise


class Statements:
    """The statements of one read on one replica.

    `moment` is that of the state that all results show: an empty text if it is unknown, None if they show several
    states.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._moments: set[str] = set()

    @property
    def moment(self) -> str | None:
        if len(self._moments) > 1:
            return None
        return next(iter(self._moments), "")

    def query(self, statement: str, values: tuple[Any, ...], *, is_frequent: bool = False) -> list[dict[str, Any]]:
        """Read rows with the column MOMENT_COLUMN. Raises the errors of `sluice.db.errors`."""
        database = self._database
        rows = database.query(statement, values, is_frequent=is_frequent)
        if not rows:
            # EXISTS would ignore the order of the statement, and could choose another index.
            count = f"SELECT COUNT(*) FROM ({statement}) AS page"  # noqa: S608
            [state] = database.query(f"SELECT ({SELECT_MOMENT}) AS {MOMENT_COLUMN}, ({count}) AS row_count", values)
            if not state["row_count"]:
                self._moments.add(get_moment(state))
                return []
            rows = database.query(statement, values)
        self._moments.add(get_moment(rows[0]) if rows else "")
        return rows
