"""Rejected writes loaded again: as a batch of their own, that load_batch takes like any other.

A rejected write stays in its store until the ledger says that its batch was loaded. Which batches are on their way is
kept in S3, in an empty object for each: it outlives whoever asked.
"""

import datetime
import gzip
from collections.abc import Iterator

import msgspec

from sluice.aws.s3 import Bucket
from sluice.db.connection import Database
from sluice.model.batch_keys import ABOVE_ALL_KEYS, BATCH_PREFIX, format_hour
from sluice.model.record import Write, decode_write
from sluice.model.versions import new_version
from sluice.recovery import rejected_write_store as rejects
from sluice.recovery.rejected_write_store import RejectedWriteSelection

RETRY_MARKER_PREFIX = "retries/"


# Of one batch: bounded, so that neither this function nor the load needs more memory than it has.
MAX_RETRY_BYTES = 8 << 20  # bytes of text


MAX_RETRY_WRITES = 2_000


class RetryResult(msgspec.Struct, kw_only=True):
    """A batch that was put for loading (empty: nothing was left to put), and how many writes it has.

    `invalid` counts writes whose text is no write any more: it was no UTF-8 and is kept with escapes. `after` goes on
    from here; None: there is no more.
    """

    batch: str
    writes: int
    invalid: int
    after: str | None


class SettleResult(msgspec.Struct, kw_only=True):
    """Of earlier retries: writes that are rejects no more, writes rejected again, and batches still on their way."""

    settled: int = 0
    rejected_again: int = 0
    pending: list[str] = []


def retry_rejected_writes(
    database: Database, bucket: Bucket, select: RejectedWriteSelection, after: str, now: datetime.datetime
) -> RetryResult:
    """Put a batch of the rejected writes that fit. Raises the faults of `sluice.db.errors` and botocore's errors."""
    taken: list[bytes] = []
    last, size, invalid, more = after, 0, 0, False
    while not more and (found := rejects.list_rejected_payloads(database, select, last, 50)):
        for row in found:
            text = row["write"].encode()
            if taken and (size + len(text) > MAX_RETRY_BYTES or len(taken) == MAX_RETRY_WRITES):
                more = True
                break
            last = row["version"]
            # One line that is no write would make the whole batch unreadable.
            if not _is_write(text):
                invalid += 1
                continue
            taken.append(text + b"\n")
            size += len(text)
    if not taken:
        return RetryResult(batch="", writes=0, invalid=invalid, after=None)
    key = f"{BATCH_PREFIX}{format_hour(now)}/retry-{new_version()}.jsonl.gz"
    # The mark first: a batch without one would be loaded, and its writes stay rejects for ever.
    bucket.write_object(f"{RETRY_MARKER_PREFIX}{key}", b"")
    bucket.write_object(key, gzip.compress(b"".join(taken)))
    return RetryResult(batch=key, writes=len(taken), invalid=invalid, after=last if more else None)


def _is_write(text: bytes) -> bool:
    try:
        decode_write(text)
    except msgspec.MsgspecError:
        return False
    return True


def settle_retries(database: Database, bucket: Bucket) -> SettleResult:
    """Take writes that were loaded meanwhile out of the store. Raises as `retry`."""
    found = SettleResult()
    for page in bucket.list_objects(RETRY_MARKER_PREFIX, "", f"{RETRY_MARKER_PREFIX}{ABOVE_ALL_KEYS}"):
        for mark in page:
            _settle_retry(database, bucket, mark.key, found)
    return found


def _settle_retry(database: Database, bucket: Bucket, mark: str, found: SettleResult) -> None:
    key = mark.removeprefix(RETRY_MARKER_PREFIX)
    entered = database.query("SELECT rejected FROM loaded_batches WHERE object_key = %s", (key,))
    lines = _read_retry_batch(bucket, key)
    if not entered and lines is not None:
        found.pending.append(key)
        return
    if entered and lines is not None:
        refused = int(entered[0]["rejected"])
        again = rejects.count_rejected_writes(database, RejectedWriteSelection(batches=(key,)))
        found.rejected_again += again
        # A write that was rejected again has this batch's key now. Where the counts differ, another load touched it
        # since: then nothing tells which were taken, and all of them stay for another try.
        if again == refused:
            found.settled += sum(_delete_loaded_write(database, write, key) for write in lines)
    bucket.delete_object(mark)


def _delete_loaded_write(database: Database, write: Write, key: str) -> int:
    return rejects.execute_update(
        database,
        "DELETE FROM rejected_writes WHERE version = %s AND collection = %s AND owner = %s AND id = %s "
        "AND object_key <> %s",
        (write.version, write.collection, write.owner, write.id, key),
    )


def _read_retry_batch(bucket: Bucket, key: str) -> Iterator[Write] | None:
    """The writes of a batch, or None when it is gone."""
    stored = bucket.find_object(key)
    return (decode_write(line) for line in gzip.decompress(stored.content).splitlines()) if stored else None
