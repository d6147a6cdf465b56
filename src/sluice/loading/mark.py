"""The high-water mark: the greatest version that was ever loaded, and the lock that loads take on it.

A write with a greater version than the mark is newer than every row there is, so it may replace its item's row without
a look at it. That holds until the commit only if nobody else loads meanwhile: a load with such writes is alone (an
exclusive lock on the mark), and moves the mark. Loads of nothing but older writes share the lock; they compare versions
row by row. So no version in the tables is ever beyond the mark.
"""

from collections.abc import Iterable

from sluice.database import Connection

_NAME = "high_water"
_READ = f"SELECT version FROM marks WHERE name = '{_NAME}'"  # noqa: S608
# Locks the row for good also where it has yet to be made.
_TAKE = f"INSERT INTO marks (name, version) VALUES ('{_NAME}', '') ON DUPLICATE KEY UPDATE version = version"  # noqa: S608
_MOVE = f"UPDATE marks SET version = %s WHERE name = '{_NAME}' AND version < %s"  # noqa: S608


class NotAlone(Exception):  # noqa: N818
    """A write beyond the mark in a load that shares its lock: the load must start again, alone."""


class Mark:
    """The mark as one load sees it, within its transaction."""

    def __init__(self, connection: Connection, collections: Iterable[str]) -> None:
        self._connection = connection
        self._collections = collections
        self._version: str | None = None
        self._alone = False

    def reach(self, newest: str, *, alone: bool) -> str:
        """Return the mark as it was before this load, with the lock that it takes to load versions up to `newest`.

        The first call decides whether the load is alone. Raises NotAlone when a later one finds that it should be;
        pymysql's errors, a lock timeout among them.
        """
        if self._version is None:
            self._alone = alone or newest > (self._read(_READ) or "")
            self._version = self._taken() if self._alone else self._read(f"{_READ} LOCK IN SHARE MODE") or ""
        if not self._alone and newest > self._version:
            raise NotAlone
        return self._version

    def move(self, newest: str) -> None:
        """Set the mark to the newest version of this load, last thing before its commit."""
        if self._alone:
            with self._connection.cursor() as cursor:
                cursor.execute(_MOVE, (newest, newest))

    def _taken(self) -> str:
        with self._connection.cursor() as cursor:
            cursor.execute(_TAKE)
        found = self._read(f"{_READ} FOR UPDATE") or ""
        # No mark, though there may be rows: found once by looking at them all.
        return found or max(map(self._greatest, self._collections), default="")

    def _greatest(self, collection: str) -> str:
        return self._read(f"SELECT MAX(version) FROM `{collection}`") or ""  # noqa: S608

    def _read(self, statement: str) -> str | None:
        with self._connection.cursor() as cursor:
            cursor.execute(statement)
            row = cursor.fetchone()
        return row[0] if row else None
