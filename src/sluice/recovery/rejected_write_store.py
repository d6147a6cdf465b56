"""The table of rejected writes, as operators list, retry and drop them.

A retry puts rejected writes into a new batch, which load_batch loads like any other. A rejected write stays in the
table until the ledger shows that its new batch was loaded. For each batch in progress there is an empty S3 object, the
retry marker: it outlives the operator's command.
"""

import datetime
import gzip
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import msgspec
import pymysql
from msgspec import Meta

from sluice.aws.s3 import Bucket
from sluice.db.connection import Database
from sluice.db.errors import classify_error
from sluice.model.batch_keys import ABOVE_ALL_KEYS, BATCH_PREFIX, format_hour
from sluice.model.record import Write, decode_write
from sluice.model.versions import new_version

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


RETRY_MARKER_PREFIX = "retries/"
# The limits of one batch, so that it fits the memory of this function and of the load.
MAX_RETRY_BYTES = 8 << 20  # uncompressed
MAX_RETRY_WRITES = 2_000
_PAGE_SIZE = 50


class RetryResult(msgspec.Struct, kw_only=True):
    """The new batch (empty when no write was left) and its number of writes.

    `invalid` counts writes that cannot be decoded: the original was not UTF-8 and is stored with escapes. `after` is
    where the next call continues; None: there are no more.
    """

    batch: str
    writes: int
    invalid: int
    after: str | None


class SettleResult(msgspec.Struct, kw_only=True):
    """Of earlier retries: writes that are applied now, writes that were rejected again, and batches in progress."""

    settled: int = 0
    rejected_again: int = 0
    pending: list[str] = []


def retry_rejected_writes(
    database: Database, bucket: Bucket, select: RejectedWriteSelection, after: str, now: datetime.datetime
) -> RetryResult:
    """Put a batch of matching rejected writes. Raises the database errors of `sluice.errors`, and botocore's errors."""
    lines: list[bytes] = []
    last, size, invalid, has_more = after, 0, 0, False
    while not has_more and (rows := list_rejected_payloads(database, select, last, _PAGE_SIZE)):
        for row in rows:
            text = row["write"].encode()
            if lines and (size + len(text) > MAX_RETRY_BYTES or len(lines) == MAX_RETRY_WRITES):
                has_more = True
                break
            last = row["version"]
            # One invalid line would make the whole batch unreadable.
            if not _is_write(text):
                invalid += 1
                continue
            lines.append(text + b"\n")
            size += len(text)
    if not lines:
        return RetryResult(batch="", writes=0, invalid=invalid, after=None)
    key = f"{BATCH_PREFIX}{format_hour(now)}/retry-{new_version()}.jsonl.gz"
    # The marker first: without it, the batch would be loaded and its writes would stay rejected for ever.
    bucket.write_object(f"{RETRY_MARKER_PREFIX}{key}", b"")
    bucket.write_object(key, gzip.compress(b"".join(lines)))
    return RetryResult(batch=key, writes=len(lines), invalid=invalid, after=last if has_more else None)


def _is_write(text: bytes) -> bool:
    try:
        decode_write(text)
    except msgspec.MsgspecError:
        return False
    return True


def settle_retries(database: Database, bucket: Bucket) -> SettleResult:
    """Delete rejected writes that their retry has applied. Raises like `retry_rejected_writes`."""
    result = SettleResult()
    for page in bucket.list_objects(RETRY_MARKER_PREFIX, "", f"{RETRY_MARKER_PREFIX}{ABOVE_ALL_KEYS}"):
        for marker in page:
            _settle_retry(database, bucket, marker.key, result)
    return result


def _settle_retry(database: Database, bucket: Bucket, marker: str, result: SettleResult) -> None:
    key = marker.removeprefix(RETRY_MARKER_PREFIX)
    ledger_rows = database.query("SELECT rejected FROM loaded_batches WHERE object_key = %s", (key,))
    writes = _read_retry_batch(bucket, key)
    if not ledger_rows and writes is not None:
        result.pending.append(key)
        return
    if ledger_rows and writes is not None:
        rejected_by_load = int(ledger_rows[0]["rejected"])
        rejected_again = count_rejected_writes(database, RejectedWriteSelection(batches=(key,)))
        result.rejected_again += rejected_again
        # A write that was rejected again has this batch's key now. If the counts differ, another load has changed it
        # since: then it is unknown which writes were applied, and all stay for another retry.
        if rejected_again == rejected_by_load:
            result.settled += sum(_delete_loaded_write(database, write, key) for write in writes)
    bucket.delete_object(marker)


def _delete_loaded_write(database: Database, write: Write, key: str) -> int:
    return execute_update(
        database,
        "DELETE FROM rejected_writes WHERE version = %s AND collection = %s AND owner = %s AND id = %s "
        "AND object_key <> %s",
        (write.version, write.collection, write.owner, write.id, key),
    )


def _read_retry_batch(bucket: Bucket, key: str) -> Iterator[Write] | None:
    """The writes of a batch, or None when the batch has expired."""
    stored = bucket.find_object(key)
    return (decode_write(line) for line in gzip.decompress(stored.content).splitlines()) if stored else None
