"""Which entries of the cache count: a row of the marks names their generation and counts the loads it has seen.

Each load takes the row, with its lock, as the last thing before its commit, and counts one more; so the count orders
loads as their commits are ordered, and what a replica shows has a count that belongs to it. A load that could not
withdraw its items from the cache begins another generation instead: no entry of the one before is read again.
"""

import secrets
from typing import Any, NamedTuple

from pymysql.connections import Connection

_NAME = "cache"


_NAME_LENGTH, _COUNT_LENGTH = 16, 10


# The row as one text; a subquery of a statement that reads an item sees it at the same moment as the item.
SELECT_EPOCH = f"SELECT version FROM marks WHERE name = '{_NAME}'"  # noqa: S608


_COUNT = (
    f"INSERT INTO marks (name, version) VALUES ('{_NAME}', %s) ON DUPLICATE KEY UPDATE version = "  # noqa: S608
    f"CONCAT(LEFT(version, {_NAME_LENGTH}), LPAD(CAST(RIGHT(version, {_COUNT_LENGTH}) AS UNSIGNED) + 1, "
    f"{_COUNT_LENGTH}, '0')) RETURNING version"
)


_RENEW = f"UPDATE marks SET version = %s WHERE name = '{_NAME}'"  # noqa: S608


_END = f"DELETE FROM marks WHERE name = '{_NAME}'"  # noqa: S608


class Epoch(NamedTuple):
    """The name of a generation, and the count of loads as a text: the later of two is the greater."""

    name: str
    load_count: str


def parse_epoch(text: str) -> Epoch:
    """What the row says."""
    return Epoch(text[:_NAME_LENGTH], text[_NAME_LENGTH:])


def create_epoch_value() -> str:
    """The row of a generation that never was."""
    return secrets.token_hex(_NAME_LENGTH // 2) + "0" * _COUNT_LENGTH


class EpochRow:
    """The row as a load changes it, within its transaction. The methods raise pymysql's errors."""

    def __init__(self, connection: "Connection[Any]") -> None:
        self._connection = connection

    def count_load(self) -> Epoch:
        """Count this load; nobody else can count one before this transaction has ended."""
        with self._connection.cursor() as cursor:
            cursor.execute(_COUNT, (create_epoch_value(),))
            row: Any = cursor.fetchone()
        return parse_epoch(row[0])

    def start_new_epoch(self) -> None:
        """Begin another generation."""
        with self._connection.cursor() as cursor:
            cursor.execute(_RENEW, (create_epoch_value(),))

    def delete_epoch(self) -> None:
        """Have no generation: nothing is read from a cache until a load begins one."""
        with self._connection.cursor() as cursor:
            cursor.execute(_END)
