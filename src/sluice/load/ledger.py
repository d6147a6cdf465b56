"""The ledger of loaded batches and the table of rejected writes. Both are in the same database as the rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import pymysql
from pymysql.constants import ER

from sluice.db.connection import Connection
from sluice.model.record import MAX_RECORD_BYTES, Write


@dataclass(frozen=True)
class RejectedWrite:
    """A write that the database can never accept. `line` is its line number in the object, from 1."""

    reason: str
    write: Write
    text: bytes
    line: int


def enter_batch(connection: Connection, key: str, etag: str) -> bool:
    """Enter a batch in the ledger, as the first statement of its transaction. Returns False if it is loaded already.

    A second load of the same batch waits here until the first one has committed or rolled back.
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
    """Write the counts of a load (applied, stale, rejected) to the ledger, at the end of its transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE loaded_batches SET applied = %s, stale = %s, rejected = %s, duration_ms = %s, "
            "loaded_at = UTC_TIMESTAMP(6) WHERE object_key = %s AND etag = %s",
            (*counts, duration_ms, key, etag),
        )


def store_rejected_writes(connection: Connection, key: str, rejected_writes: Sequence[RejectedWrite]) -> None:
    """Store rejected writes. A write that an earlier load or replay stored stays a single row.

    Bytes that are not UTF-8 are stored as escapes. A text that is longer than any record of the stream is truncated,
    because it would not fit into a statement.
    """
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO rejected_writes (version, collection, owner, id, reason, `write`, object_key, line) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s, %s) "
            "ON DUPLICATE KEY UPDATE reason = VALUES(reason), object_key = VALUES(object_key), line = VALUES(line)",
            [_row_values(key, rejected) for rejected in rejected_writes],
        )


def _row_values(key: str, rejected: RejectedWrite) -> tuple[object, ...]:
    write, text = rejected.write, rejected.text[:MAX_RECORD_BYTES].decode(errors="backslashreplace")
    return write.version, write.collection, write.owner, write.id, rejected.reason, text, key, rejected.line
