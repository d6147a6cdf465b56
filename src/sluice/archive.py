"""S3: the batches as they were delivered, the archive, and what the workflows keep beside them."""

import datetime
import gzip
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import IO, Any

from botocore.config import Config
from botocore.exceptions import ClientError

from sluice.clients import client
from sluice.faults import UnreadableBatch

BLOCK = 1 << 19  # bytes of text at a time; the fastest of the powers of two, as the caches go

Change = Callable[[bytes], bytes]


@dataclass(frozen=True)
class BatchObject:
    """One object of writes. `etag` is the one that S3 answered with, which may be newer than the event's.

    `change` is made to every block of its text as it is read: whole lines in, whole lines out.
    """

    key: str
    etag: str
    body: IO[bytes]
    change: Change | None = None


@dataclass(frozen=True)
class Listed:
    """An object as S3 lists it. `size` is in bytes."""

    key: str
    etag: str
    size: int
    modified: datetime.datetime


@cache
def _client() -> Any:
    config = Config(connect_timeout=2, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 4})
    return client("s3", config)


def open_batch(bucket: str, key: str) -> BatchObject:
    """Open a batch for reading. Raises botocore's errors."""
    answer = _client().get_object(Bucket=bucket, Key=key)
    return BatchObject(key, answer["ETag"].strip('"'), answer["Body"])


def pages(bucket: str, prefix: str, after: str, until: str) -> Iterator[list[Listed]]:
    """List the objects under a prefix, up to 1,000 at a time in the order of their keys. Raises botocore's errors.

    Only keys above `after` and not above `until` are listed.
    """
    for page in _client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, StartAfter=after):
        found = [
            Listed(one["Key"], one["ETag"].strip('"'), one["Size"], one["LastModified"])
            for one in page.get("Contents", [])
        ]
        within = [one for one in found if one.key <= until]
        if within:
            yield within
        if len(within) < len(found):
            return


def read(bucket: str, key: str) -> tuple[bytes, str]:
    """An object's content and its ETag. Raises botocore's errors."""
    answer = _client().get_object(Bucket=bucket, Key=key)
    return answer["Body"].read(), answer["ETag"].strip('"')


def write(bucket: str, key: str, content: bytes) -> None:
    """Put an object in place of whatever is there. Raises botocore's errors."""
    _client().put_object(Bucket=bucket, Key=key, Body=content)


def write_over(bucket: str, key: str, content: bytes, etag: str | None) -> bool:
    """Put an object in place of the one with that ETag, or where there is none. False, when that is not what is there.

    Of several that try at a time, one succeeds. Raises botocore's errors.
    """
    condition = {"IfMatch": etag} if etag else {"IfNoneMatch": "*"}
    try:
        _client().put_object(Bucket=bucket, Key=key, Body=content, **condition)
    except ClientError as error:
        if error.response["Error"]["Code"] in {"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"}:
            return False
        raise
    return True


def remove(bucket: str, key: str) -> None:
    """Delete an object, if there is one. Raises botocore's errors."""
    _client().delete_object(Bucket=bucket, Key=key)


def set_aside(bucket: str, key: str, prefix: str) -> str:
    """Copy an object under a prefix of the same bucket and return the copy's key. Raises botocore's errors."""
    copy = f"{prefix}{key}"
    _client().copy_object(Bucket=bucket, Key=copy, CopySource={"Bucket": bucket, "Key": key})
    return copy


def blocks(batch: BatchObject) -> Iterator[bytes]:
    """Yield a batch's text in blocks of whole lines. Raises UnreadableBatch when it is not GZIP or is cut short."""
    for block in _whole_lines(batch):
        text = batch.change(block) if batch.change else block
        if text:
            yield text


def _whole_lines(batch: BatchObject) -> Iterator[bytes]:
    rest = b""
    for text in _unzipped(batch):
        end = text.rfind(b"\n") + 1
        if end:
            yield rest + text[:end]
            rest = text[end:]
        else:
            rest += text
    if rest:
        yield rest


def _unzipped(batch: BatchObject) -> Iterator[bytes]:
    try:
        with gzip.GzipFile(fileobj=batch.body) as text:
            while block := text.read(BLOCK):
                yield block
            empty = text.mtime is None  # GZIP of nothing has a header, an object of no bytes has none
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise UnreadableBatch(f"{batch.key} is not GZIP, or cut short") from None
    if empty:
        raise UnreadableBatch(f"{batch.key} is empty")
