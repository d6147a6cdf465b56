"""The high-water mark: the greatest version that was ever loaded, and the lock that loads take on it.

A write with a greater version than the mark is newer than every row there is, so it may replace its item's row without
a look at it. That holds until the commit only if nobody else loads meanwhile: a load with such writes is alone (an
exclusive lock on the mark), and moves the mark. Loads of nothing but older writes share the lock; they compare versions
row by row. So no version in the tables is ever beyond the mark.

Beside it stands the version below which a write may have been excluded (see `sluice.model.exclusions`): to know that none of
a batch was costs no statement of its own.
"""  # noqa: E501

from collections.abc import Iterable
from typing import Any

from sluice.db.connection import Connection
from sluice.errors import ExclusiveModeRequired, FilteredModeRequired

_NAME, _EXCLUSIONS = "high_water", "exclusions"


_READ_EXCLUSIONS = f"SELECT version FROM marks WHERE name = '{_EXCLUSIONS}'"  # noqa: S608


# A lock that is asked for is one of the mark only.
_READ = f"SELECT version, ({_READ_EXCLUSIONS}) FROM marks WHERE name = '{_NAME}'"  # noqa: S608


# Locks the row for good also where it has yet to be made.
_TAKE = f"INSERT INTO marks (name, version) VALUES ('{_NAME}', '') ON DUPLICATE KEY UPDATE version = version"  # noqa: S608


_MOVE = f"UPDATE marks SET version = %s WHERE name = '{_NAME}' AND version < %s"  # noqa: S608


class HighWaterMark:
    """The mark as one load sees it, within its transaction. `filtered`: it leaves out what was excluded.

    `near` says whether the load met writes that are old enough to have been excluded.
    """

    def __init__(self, connection: Connection, collections: Iterable[str], *, filtered: bool) -> None:
        self._connection = connection
        self._collections = collections
        self._filtered = filtered
        self._version: str | None = None
        self._excluded = ""
        self._alone = False
        self.has_excludable_writes = False

    def acquire_lock(self, newest_version: str, oldest_version: str, *, exclusive: bool) -> str:
        """Return the mark as it was before this load, with the lock that it takes to load versions up to `newest`.

        The first call decides whether the load is alone. Raises NotAlone when a later one finds that it should be,
        MayBeExcluded; pymysql's errors, a lock timeout among them.
        """
        if self._version is None:
            self._alone = exclusive or newest_version > self._marked("")
            self._version = self._taken() if self._alone else self._marked(" LOCK IN SHARE MODE")
        self.has_excludable_writes |= oldest_version < self._excluded
        if self.has_excludable_writes and not self._filtered:
            raise FilteredModeRequired
        if not self._alone and newest_version > self._version:
            raise ExclusiveModeRequired
        return self._version

    def advance(self, newest: str) -> None:
        """Set the mark to the newest version of this load, last thing before its commit."""
        if self._alone:
            with self._connection.cursor() as cursor:
                cursor.execute(_MOVE, (newest, newest))

    def _taken(self) -> str:
        with self._connection.cursor() as cursor:
            cursor.execute(_TAKE)
        # No mark, though there may be rows: found once by looking at them all.
        return self._marked(" FOR UPDATE") or max(map(self._greatest, self._collections), default="")

    def _marked(self, lock: str) -> str:
        found = self._row(_READ + lock)
        version, excluded = found or ("", self._value(_READ_EXCLUSIONS))
        self._excluded = excluded or ""
        return str(version)

    def _greatest(self, collection: str) -> str:
        return self._value(f"SELECT MAX(version) FROM `{collection}`")  # noqa: S608

    def _value(self, statement: str) -> str:
        row = self._row(statement)
        return str(row[0] or "") if row else ""

    def _row(self, statement: str) -> tuple[Any, ...] | None:
        with self._connection.cursor() as cursor:
            cursor.execute(statement)
            row: tuple[Any, ...] | None = cursor.fetchone()
        return row
