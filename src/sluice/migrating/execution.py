"""Runs DDL on a live database: online where MariaDB can, and never longer than there is time."""

import time
from dataclasses import dataclass
from typing import Any

import pymysql
from pymysql.connections import Connection

from sluice.migrating.failures import MigrationFailed

# From the least to the most disturbing. INSTANT changes no row; INPLACE lets loads and reads go on; what needs a copy
# of the table (a text that becomes MEDIUMTEXT, a wider DECIMAL) lets reads go on and makes loads wait.
_WAYS = ("ALGORITHM=INSTANT", "ALGORITHM=INPLACE, LOCK=NONE", "ALGORITHM=COPY, LOCK=SHARED")
_NOT_THIS_WAY = {1845, 1846}  # ER_ALTER_OPERATION_NOT_SUPPORTED and its _REASON, which PyMySQL has no names for

# How long a statement waits for a load that holds its table, in seconds. Loads that come later wait behind it.
_PATIENCE = 30


@dataclass(frozen=True)
class Statement:
    """One DDL statement, and what it does in words."""

    sql: str
    does: str

    @property
    def alters(self) -> bool:
        return self.sql.startswith("ALTER TABLE")


class Executor:
    """Executes statements on one connection until `deadline` (in `time.monotonic()` seconds)."""

    def __init__(self, connection: "Connection[Any]", deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline
        self.run(f"SET SESSION lock_wait_timeout = {_PATIENCE}")

    def run(self, sql: str, arguments: tuple[Any, ...] | None = None) -> list[tuple[Any, ...]]:
        """Execute and return the rows."""
        with self._connection.cursor() as cursor:
            cursor.execute(sql, arguments)
            return list(cursor.fetchall())

    def apply(self, statement: Statement) -> str:
        """Execute DDL; return what it did, and how. Raises MigrationFailed when there is no time left to begin."""
        seconds = self._deadline - time.monotonic()
        if seconds < 1:
            raise MigrationFailed("The time is over before every change was made; the next deploy makes the rest.")
        self.run(f"SET SESSION max_statement_time = {seconds:.0f}")
        return self._apply(statement)

    def _apply(self, statement: Statement) -> str:
        if not statement.alters:
            self.run(statement.sql)
            return statement.does
        for way in _WAYS:
            try:
                self.run(f"{statement.sql}, {way}")
            except pymysql.Error as error:
                if error.args[0] not in _NOT_THIS_WAY:
                    raise
            else:
                return f"{statement.does} ({way})"
        raise MigrationFailed(f"MariaDB knows no way to {statement.does}.")
