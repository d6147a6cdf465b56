"""The table of rejected writes, as operators list and delete them."""

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
    """Selects the rejected writes that match every non-empty field. `batches` are object keys."""

    versions: TextFilter = ()
    collections: TextFilter = ()
    ids: TextFilter = ()
    batches: TextFilter = ()

    def build_condition(self) -> tuple[str, tuple[str, ...]]:
        """An SQL condition and its values."""
        filters = [
            (column, values)
            for column, values in (
                ("version", self.versions),
                ("collection", self.collections),
                ("id", self.ids),
                ("object_key", self.batches),
            )
            if values
        ]
        parts = [f"{column} IN ({', '.join(['%s'] * len(values))})" for column, values in filters]
        return " AND ".join(parts) or "TRUE", tuple(value for _, values in filters for value in values)


def list_rejected_writes(
    database: Database, select: RejectedWriteSelection, after: str, limit: int
) -> list[dict[str, Any]]:
    """Rejected writes with versions above `after`, ordered by version, without the writes themselves.

    Raises the database errors of `sluice.errors`, as every function of this module.
    """
    return _select_rows(database, "version, collection, owner, id, reason, object_key, line", select, after, limit)


def list_rejected_payloads(
    database: Database, select: RejectedWriteSelection, after: str, limit: int
) -> list[dict[str, Any]]:
    """Like `list_rejected_writes`, but only the version and the write itself."""
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
    """The number of rejected writes that match."""
    condition, values = select.build_condition()
    rows = database.query(f"SELECT COUNT(*) AS n FROM rejected_writes WHERE {condition}", values)  # noqa: S608
    return int(rows[0]["n"])


def delete_rejected_writes(database: Database, select: RejectedWriteSelection) -> int:
    """Delete up to DELETE_BATCH_SIZE matching rejected writes, and return their number."""
    condition, values = select.build_condition()
    return execute_update(database, f"DELETE FROM rejected_writes WHERE {condition} LIMIT {DELETE_BATCH_SIZE}", values)  # noqa: S608


def execute_update(database: Database, statement: str, values: Sequence[Any]) -> int:
    """Execute a statement, which commits automatically, and return the number of changed rows."""
    connection = database.get_live_connection()
    try:
        with connection.cursor() as cursor:
            return int(cursor.execute(statement, values))
    except (pymysql.Error, OSError) as error:
        database.drop_connection()
        raise (classify_error(error) or error) from None
