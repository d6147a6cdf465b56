"""The ledger of loaded batches and the store of rejected writes, both beside the rows they speak of."""

from collections.abc import Sequence
from dataclasses import dataclass

import pymysql
from pymysql.constants import ER

from sluice.db.connection import Connection
from sluice.model.record import MAX_RECORD_BYTES, Write


@dataclass(frozen=True)
class RejectedWrite:
    """A write that the database can never take: why, which, and where it stands (line from 1)."""

    reason: str
    write: Write
    text: bytes
    line: int


def enter_batch(connection: Connection, key: str, etag: str) -> bool:
    """Enter a batch, first thing in its transaction. False: it was loaded before.

    A second load of the same batch waits here until the first has committed or rolled back.
    """
    with connection.cursor() as cursor:
        try:
            cursor.execute(
                "INSERT INTO loaded_batches (object_key, etag, applied, stale, rejected, duration_ms, loaded_at) "
                "VALUES (%s, %s, 0, 0, 0, 0, UTC_TIMESTAMP(6))",
                (key, etag),
            )
        except pymysql.IntegrityError as error:
            if error.args[0] == ER.DUP_ENTRY:
                return False
            raise
    return True


def complete_batch(connection: Connection, key: str, etag: str, counts: tuple[int, int, int], duration_ms: int) -> None:
    """Write what the load came to (applied, stale, rejected), last thing in its transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE loaded_batches SET applied = %s, stale = %s, rejected = %s, duration_ms = %s, "
            "loaded_at = UTC_TIMESTAMP(6) WHERE object_key = %s AND etag = %s",
            (*counts, duration_ms, key, etag),
        )


def store_rejected_writes(connection: Connection, key: str, rejected: Sequence[RejectedWrite]) -> None:
    """Keep rejected writes. One that an earlier load or replay kept already stays a single row.

    Bytes that are no UTF-8 are kept as escapes. Of a text that is longer than any record (no stream brought it) only
    the beginning is kept: a statement could not hold it.
    """
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO rejected_writes (version, collection, owner, id, reason, `write`, object_key, line) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s, %s) "
            "ON DUPLICATE KEY UPDATE reason = VALUES(reason), object_key = VALUES(object_key), line = VALUES(line)",
            [_values(key, one) for one in rejected],
        )


def _values(key: str, one: RejectedWrite) -> tuple[object, ...]:
    write, text = one.write, one.text[:MAX_RECORD_BYTES].decode(errors="backslashreplace")
    return write.version, write.collection, write.owner, write.id, one.reason, text, key, one.line
