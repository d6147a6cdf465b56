"""The store of rejected writes, as operators list it and clear it."""

import re
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
import pymysql
from msgspec import Meta

from sluice.database import Database
from sluice.faults import meaning

DROPPED_AT_ONCE = 1_000
Texts = Annotated[tuple[str, ...], Meta(max_length=500)]

_QUOTED = re.compile(r"""'.*'|".*\"""", re.DOTALL)


class Selection(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """Which rejects: those that fit each of the fields that are given. `batches` are object keys."""

    versions: Texts = ()
    collections: Texts = ()
    ids: Texts = ()
    batches: Texts = ()

    def condition(self) -> tuple[str, tuple[str, ...]]:
        """An SQL condition and its values."""
        given = [
            (column, values)
            for column, values in (
                ("version", self.versions),
                ("collection", self.collections),
                ("id", self.ids),
                ("object_key", self.batches),
            )
            if values
        ]
        parts = [f"{column} IN ({', '.join(['%s'] * len(values))})" for column, values in given]
        return " AND ".join(parts) or "TRUE", tuple(value for _, values in given for value in values)


def page(database: Database, select: Selection, after: str, limit: int) -> list[dict[str, Any]]:
    """Rejects with versions above `after`, in their order, without the writes. Raises the faults of `sluice.faults`."""
    return _rows(database, "version, collection, owner, id, reason, object_key, line", select, after, limit)


def writes(database: Database, select: Selection, after: str, limit: int) -> list[dict[str, Any]]:
    """As `page`, the version and the write itself only."""
    return _rows(database, "version, `write`", select, after, limit)


def _rows(database: Database, columns: str, select: Selection, after: str, limit: int) -> list[dict[str, Any]]:
    condition, values = select.condition()
    return database.query(
        f"SELECT {columns} FROM rejected_writes WHERE version > %s AND {condition} ORDER BY version LIMIT %s",  # noqa: S608
        (after, *values, limit),
    )


def total(database: Database, select: Selection) -> int:
    """How many rejects fit. Raises the faults of `sluice.faults`."""
    condition, values = select.condition()
    found = database.query(f"SELECT COUNT(*) AS n FROM rejected_writes WHERE {condition}", values)  # noqa: S608
    return int(found[0]["n"])


def drop(database: Database, select: Selection) -> int:
    """Forget up to DROPPED_AT_ONCE rejects that fit; how many those were. Raises the faults of `sluice.faults`."""
    condition, values = select.condition()
    return change(database, f"DELETE FROM rejected_writes WHERE {condition} LIMIT {DROPPED_AT_ONCE}", values)  # noqa: S608


def change(database: Database, statement: str, values: Sequence[Any]) -> int:
    """Run a statement that commits by itself; how many rows it changed. Raises the faults of `sluice.faults`."""
    connection = database.live_connection()
    try:
        with connection.cursor() as cursor:
            return int(cursor.execute(statement, values))
    except (pymysql.Error, OSError) as error:
        database.drop()
        raise (meaning(error) or error) from None


def without_data(reason: str) -> str:
    """A reason without what it may quote of the item."""
    return _QUOTED.sub("'…'", reason)
