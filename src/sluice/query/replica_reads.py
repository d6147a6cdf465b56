"""The statements of one read, and the moment that all of their results include (`sluice.db.moment`).

A connection stays with one server, and what a server has shown it does not take back. So a moment that was read over a
connection holds for every later statement of that connection, and it is enough to read it once in a while.
"""

import time
from collections.abc import Callable
from typing import Any

from sluice.db.connection import Database
from sluice.db.moment import read_moment

# How long a moment is used. An old one is as true as a new one, but says less.
MOMENT_SECONDS = 5.0


class Replica:
    """The replica of a reading function, with the moment that its connection has shown last."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self.database = database
        self._clock = clock
        self._moment = ""
        self._connection_number = 0
        self._expires_at = 0.0

    def query(self, statement: str, values: tuple[Any, ...]) -> tuple[list[dict[str, Any]], str]:
        """Read rows, and return them with a moment that they include, or an empty text if it is unknown.

        Raises the errors of `sluice.db.errors`.
        """
        database = self.database
        if self._connection_number != database.connection_number or self._clock() >= self._expires_at:
            expires_at = self._clock() + MOMENT_SECONDS
            self._moment = read_moment(database)
            self._connection_number, self._expires_at = database.connection_number, expires_at
        rows = database.query(statement, values)
        # After a reconnection another server may have answered.
        return rows, self._moment if self._connection_number == database.connection_number else ""


class ReplicaReads:
    """The statements of one read.

    `moment` is the earliest moment of all results: an empty text if one is unknown, None if there is no result.
    """

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self.moment: str | None = None

    def query(self, statement: str, values: tuple[Any, ...]) -> list[dict[str, Any]]:
        """Read rows. Raises the errors of `sluice.db.errors`."""
        rows, moment = self._replica.query(statement, values)
        self.add_moment(moment)
        return rows

    def add_moment(self, moment: str) -> None:
        """Add the moment of a result, which may come from elsewhere, such as the cache."""
        self.moment = moment if self.moment is None else min(self.moment, moment)

    def forget_moments(self) -> None:
        """Start over: only what is read from now on goes into the response."""
        self.moment = None
