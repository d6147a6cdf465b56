"""The statements of one read, and the moment of the primary that all of their results include.

A connection stays with one server, and what a server has shown it does not take back. So a moment that was read over a
connection holds for every later statement of that connection, and it is enough to read it once in a while.
"""

import datetime
import time
from collections.abc import Callable
from typing import Any

from sluice.db.as_of import read_as_of
from sluice.db.connection import Database

# A moment is used for this long. An old one is as true as a new one, but says less.
MOMENT_SECONDS = 5.0


class Replica:
    """The replica of a reading function, with the moment that its connection has shown last."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self.database = database
        self._clock = clock
        self._moment: datetime.datetime | None = None
        self._connection_number = 0
        self._expires_at = 0.0

    def read_moment(self) -> tuple[datetime.datetime | None, int]:
        """Return the moment that the replica has reached, and the number of the connection that it holds for.

        Raises the errors of `sluice.db.errors`.
        """
        now = self._clock()
        if self._connection_number != self.database.connection_number or now >= self._expires_at:
            self._moment = read_as_of(self.database)
            self._connection_number, self._expires_at = self.database.connection_number, now + MOMENT_SECONDS
        return self._moment, self._connection_number


class ReplicaReads:
    """The statements of one read."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._moments: list[datetime.datetime | None] = []

    @property
    def as_of(self) -> datetime.datetime | None:
        """The earliest moment of all results, or None if one of them is unknown or there is no result."""
        moments = [moment for moment in self._moments if moment]
        return min(moments, default=None) if len(moments) == len(self._moments) else None

    def query(self, statement: str, values: tuple[Any, ...]) -> list[dict[str, Any]]:
        """Read rows. Raises the errors of `sluice.db.errors`."""
        moment, connection_number = self._replica.read_moment()
        rows = self._replica.database.query(statement, values)
        # After a reconnection another server may have answered.
        is_same_server = self._replica.database.connection_number == connection_number
        self._moments.append(moment if is_same_server else None)
        return rows

    def add_moment(self, moment: datetime.datetime | None) -> None:
        """Add the moment of a result that comes from elsewhere, such as the cache."""
        self._moments.append(moment)

    def forget_moments(self) -> None:
        """Start over, because only what is read from now on goes into the response."""
        self._moments.clear()
