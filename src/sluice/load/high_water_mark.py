"""The high-water mark: the greatest version that was ever loaded, and the lock of all loads.

A write with a version above the mark is newer than every row, so a load may replace the item's row without a
comparison. This stays true until the commit only if no other load runs meanwhile. So a load with such writes locks the
mark exclusively and advances it. Loads that have only older writes share the lock and compare versions row by row.
Therefore no version in the tables is ever above the mark.

The same table has the version below which a write may be excluded (see `sluice.model.exclusions`). One statement reads
both, so that most loads learn without extra cost that they have no excluded writes.
"""

from collections.abc import Iterable
from typing import Any

from sluice.db.connection import Connection
from sluice.db.moment import MOMENT_NAME, NEXT_MOMENT
from sluice.errors import LoadModeRequired
from sluice.load.load_types import LoadMode

_NAME, _EXCLUSIONS = "high_water", "exclusions"
_READ_EXCLUSIONS = f"SELECT version FROM marks WHERE name = '{_EXCLUSIONS}'"  # noqa: S608
# A locking clause after it locks only the mark, not the row of the subquery.
_READ = f"SELECT version, ({_READ_EXCLUSIONS}) FROM marks WHERE name = '{_NAME}'"  # noqa: S608
# Locks the row until the commit, also when the row does not exist yet.
_LOCK = f"INSERT INTO marks (name, version) VALUES ('{_NAME}', '') ON DUPLICATE KEY UPDATE version = version"  # noqa: S608
# The same statement updates the moment, if its row exists: a statement of its own would cost more.
_ADVANCE = (
    f"UPDATE marks SET version = IF(name = '{_NAME}', GREATEST(version, %s), {NEXT_MOMENT}) "  # noqa: S608
    f"WHERE name IN ('{MOMENT_NAME}', '{_NAME}')"
)
_ADVANCE_MOMENT = f"UPDATE marks SET version = {NEXT_MOMENT} WHERE name = '{MOMENT_NAME}'"  # noqa: S608


class HighWaterMark:
    """The mark as one load sees it, within its transaction. `filtered`: the load skips excluded writes.

    `has_excludable_writes` is true when the load met writes that are old enough to be excluded.
    """

    def __init__(self, connection: Connection, collections: Iterable[str], *, filtered: bool) -> None:
        self._connection = connection
        self._collections = collections
        self._filtered = filtered
        self._version: str | None = None
        self._exclusions_end = ""
        self._is_exclusive = False
        self.has_excludable_writes = False

    def acquire_lock(self, newest_version: str, oldest_version: str, *, exclusive: bool) -> str:
        """Take the lock that a load of these versions needs, and return the mark as it was before this load.

        The first call decides between the shared and the exclusive lock. Raises LoadModeRequired when a later call
        needs the exclusive lock, or when a write may be excluded; and pymysql's errors, such as a lock timeout.
        """
        if self._version is None:
            self._is_exclusive = exclusive or newest_version > self._read_mark("")
            self._version = self._lock_exclusively() if self._is_exclusive else self._read_mark(" LOCK IN SHARE MODE")
        self.has_excludable_writes |= oldest_version < self._exclusions_end
        if self.has_excludable_writes and not self._filtered:
            raise LoadModeRequired(LoadMode.FILTERED)
        if not self._is_exclusive and newest_version > self._version:
            raise LoadModeRequired(LoadMode.EXCLUSIVE)
        return self._version

    def advance(self, newest_version: str) -> None:
        """Set the mark to the newest version of this load, before its commit, and the moment to now.

        A load that shares the lock changes rows too, so it moves the moment. From here to their commits, such loads go
        one after the other.
        """
        with self._connection.cursor() as cursor:
            if self._is_exclusive:
                cursor.execute(_ADVANCE, (newest_version,))
            else:
                cursor.execute(_ADVANCE_MOMENT, ())

    def _lock_exclusively(self) -> str:
        with self._connection.cursor() as cursor:
            cursor.execute(_LOCK)
        # Without a mark there can still be rows: look at all of them, once.
        return self._read_mark(" FOR UPDATE") or max(map(self._read_greatest, self._collections), default="")

    def _read_mark(self, lock: str) -> str:
        version, exclusions_end = self._read_row(_READ + lock) or ("", self._read_value(_READ_EXCLUSIONS))
        self._exclusions_end = exclusions_end or ""
        return str(version)

    def _read_greatest(self, collection: str) -> str:
        return self._read_value(f"SELECT MAX(version) FROM `{collection}`")  # noqa: S608

    def _read_value(self, statement: str) -> str:
        row = self._read_row(statement)
        return str(row[0] or "") if row else ""

    def _read_row(self, statement: str) -> tuple[Any, ...] | None:
        with self._connection.cursor() as cursor:
            cursor.execute(statement)
            row: tuple[Any, ...] | None = cursor.fetchone()
        return row
