"""The statements of one read on one replica, and the moment that all of their results include (`sluice.db.moment`).

Each statement selects the moment too, in the same snapshot as its rows. A result without rows shows no moment. So the
moment is read then, and the statement is repeated: what a server has shown it does not take back.
"""

from typing import Any

from sluice.db.connection import Database
from sluice.db.moment import MOMENT_COLUMN, earlier_moment, read_moment


class Statements:
    """The statements of one read on one replica.

    `moment` is the earliest moment of all results: an empty text if one is unknown, None if there is no result.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection_number = -1
        self.moment: str | None = None

    def query(self, statement: str, values: tuple[Any, ...]) -> list[dict[str, Any]]:
        """Read rows with the column MOMENT_COLUMN. Raises the errors of `sluice.db.errors`."""
        database = self._database
        rows = database.query(statement, values)
        # An earlier result of the same connection, so of the same server, has a moment that holds for this one too.
        if not rows and self._connection_number != database.connection_number:
            moment, number = read_moment(database), database.connection_number
            rows = database.query(statement, values)
            if not rows:
                self.moment = earlier_moment(self.moment, moment if number == database.connection_number else "")
        if rows:
            self.moment = earlier_moment(self.moment, rows[0][MOMENT_COLUMN] or "")
        self._connection_number = database.connection_number
        return rows
