"""List, count and delete rejected writes."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
import pymysql
from msgspec import Meta

from sluice.db.connection import Database
from sluice.db.errors import classify_error

DELETE_BATCH_SIZE = 1_000


TextFilter = Annotated[tuple[str, ...], Meta(max_length=500)]


class RejectedWriteSelection(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """Which rejects: those that fit each of the fields that are given. `batches` are object keys."""

    versions: TextFilter = ()
    collections: TextFilter = ()
    ids: TextFilter = ()
    batches: TextFilter = ()

    def build_condition(self) -> tuple[str, tuple[str, ...]]:
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


def list_rejected_writes(
    database: Database, select: RejectedWriteSelection, after: str, limit: int
) -> list[dict[str, Any]]:
    """Rejects with versions above `after`, in their order, without the writes.

    Raises the faults of `sluice.db.errors`.
    """
    return _select_rows(database, "version, collection, owner, id, reason, object_key, line", select, after, limit)


def list_rejected_payloads(
    database: Database, select: RejectedWriteSelection, after: str, limit: int
) -> list[dict[str, Any]]:
    """As `page`, the version and the write itself only."""
    return _select_rows(database, "version, `write`", select, after, limit)


def _select_rows(
    database: Database, columns: str, select: RejectedWriteSelection, after: str, limit: int
) -> list[dict[str, Any]]:
    condition, values = select.build_condition()
    return database.query(
        f"SELECT {columns} FROM rejected_writes WHERE version > %s AND {condition} ORDER BY version LIMIT %s",  # noqa: S608
        (after, *values, limit),
    )


def count_rejected_writes(database: Database, select: RejectedWriteSelection) -> int:
    """How many rejects fit. Raises the faults of `sluice.db.errors`."""
    condition, values = select.build_condition()
    found = database.query(f"SELECT COUNT(*) AS n FROM rejected_writes WHERE {condition}", values)  # noqa: S608
    return int(found[0]["n"])


def delete_rejected_writes(database: Database, select: RejectedWriteSelection) -> int:
    """Forget up to DROPPED_AT_ONCE rejects that fit; how many those were. Raises the faults of `sluice.db.errors`."""
    condition, values = select.build_condition()
    return execute_update(database, f"DELETE FROM rejected_writes WHERE {condition} LIMIT {DELETE_BATCH_SIZE}", values)  # noqa: S608


def execute_update(database: Database, statement: str, values: Sequence[Any]) -> int:
    """Run a statement that commits by itself; how many rows it changed. Raises the faults of `sluice.db.errors`."""
    connection = database.get_live_connection()
    try:
        with connection.cursor() as cursor:
            return int(cursor.execute(statement, values))
    except (pymysql.Error, OSError) as error:
        database.drop_connection()
        raise (classify_error(error) or error) from None
