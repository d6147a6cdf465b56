"""Rejected writes loaded again: as a batch of their own, that load_batch takes like any other.

A rejected write stays in its store until the ledger says that its batch was loaded. Which batches are on their way is
kept in S3, in an empty object for each: it outlives whoever asked.
"""

import datetime
import gzip
from collections.abc import Iterator

import msgspec
from botocore.exceptions import ClientError

from sluice import archive
from sluice.database import Database
from sluice.records import Write, from_line
from sluice.recovering import rejects
from sluice.recovering.rejects import Selection
from sluice.versions import new_version

MARKS = "retries/"
# Of one batch: bounded, so that neither this function nor the load needs more memory than it has.
LARGEST = 8 << 20  # bytes of text
MOST = 2_000
_ABOVE = "~"


class Retried(msgspec.Struct, kw_only=True):
    """A batch that was put for loading (empty: nothing was left to put), and how many writes it has.

    `broken` counts writes whose text is no write any more: it was no UTF-8 and is kept with escapes. `after` goes on
    from here; None: there is no more.
    """

    batch: str
    writes: int
    broken: int
    after: str | None


class Settled(msgspec.Struct, kw_only=True):
    """Of earlier retries: writes that are rejects no more, writes rejected again, and batches still on their way."""

    settled: int = 0
    again: int = 0
    pending: list[str] = []


def retry(database: Database, bucket: str, select: Selection, after: str, now: datetime.datetime) -> Retried:
    """Put a batch of the rejected writes that fit. Raises the faults of `sluice.faults` and botocore's errors."""
    taken: list[bytes] = []
    last, size, broken, more = after, 0, 0, False
    while not more and (found := rejects.writes(database, select, last, 50)):
        for row in found:
            text = row["write"].encode()
            if taken and (size + len(text) > LARGEST or len(taken) == MOST):
                more = True
                break
            last = row["version"]
            # One line that is no write would make the whole batch unreadable.
            if not _is_write(text):
                broken += 1
                continue
            taken.append(text + b"\n")
            size += len(text)
    if not taken:
        return Retried(batch="", writes=0, broken=broken, after=None)
    key = f"batches/{now.astimezone(datetime.UTC):%Y/%m/%d/%H}/retry-{new_version()}.jsonl.gz"
    # The mark first: a batch without one would be loaded, and its writes stay rejects for ever.
    archive.write(bucket, f"{MARKS}{key}", b"")
    archive.write(bucket, key, gzip.compress(b"".join(taken)))
    return Retried(batch=key, writes=len(taken), broken=broken, after=last if more else None)


def _is_write(text: bytes) -> bool:
    try:
        from_line(text)
    except msgspec.MsgspecError:
        return False
    return True


def settle(database: Database, bucket: str) -> Settled:
    """Take writes that were loaded meanwhile out of the store. Raises as `retry`."""
    found = Settled()
    for page in archive.pages(bucket, MARKS, "", f"{MARKS}{_ABOVE}"):
        for mark in page:
            _settle(database, bucket, mark.key, found)
    return found


def _settle(database: Database, bucket: str, mark: str, found: Settled) -> None:
    key = mark.removeprefix(MARKS)
    entered = database.query("SELECT rejected FROM loaded_batches WHERE object_key = %s", (key,))
    lines = _lines(bucket, key)
    if not entered and lines is not None:
        found.pending.append(key)
        return
    if entered and lines is not None:
        refused = int(entered[0]["rejected"])
        again = rejects.total(database, Selection(batches=(key,)))
        found.again += again
        # A write that was rejected again has this batch's key now. Where the counts differ, another load touched it
        # since: then nothing tells which were taken, and all of them stay for another try.
        if again == refused:
            found.settled += sum(_forget(database, write, key) for write in lines)
    archive.remove(bucket, mark)


def _forget(database: Database, write: Write, key: str) -> int:
    return rejects.change(
        database,
        "DELETE FROM rejected_writes WHERE version = %s AND collection = %s AND owner = %s AND id = %s "
        "AND object_key <> %s",
        (write.version, write.collection, write.owner, write.id, key),
    )


def _lines(bucket: str, key: str) -> Iterator[Write] | None:
    """The writes of a batch, or None when it is gone."""
    try:
        content, _ = archive.read(bucket, key)
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            return None
        raise
    return (from_line(line) for line in gzip.decompress(content).splitlines())
