"""S3: the batches, as they were delivered."""

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import IO, Any

import botocore.session
from botocore.config import Config

from sluice.faults import UnreadableBatch

BLOCK = 1 << 19  # bytes of text at a time; the fastest of the powers of two, as the caches go


@dataclass(frozen=True)
class BatchObject:
    """One object of writes. `etag` is the one that S3 answered with, which may be newer than the event's."""

    key: str
    etag: str
    body: IO[bytes]


@cache
def _client() -> Any:
    config = Config(connect_timeout=2, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 4})
    return botocore.session.get_session().create_client("s3", config=config)


def open_batch(bucket: str, key: str) -> BatchObject:
    """Open a batch for reading. Raises botocore's errors."""
    answer = _client().get_object(Bucket=bucket, Key=key)
    return BatchObject(key, answer["ETag"].strip('"'), answer["Body"])


def set_aside(bucket: str, key: str, prefix: str) -> str:
    """Copy an object under a prefix of the same bucket and return the copy's key. Raises botocore's errors."""
    copy = f"{prefix}{key}"
    _client().copy_object(Bucket=bucket, Key=copy, CopySource={"Bucket": bucket, "Key": key})
    return copy


def blocks(batch: BatchObject) -> Iterator[bytes]:
    """Yield a batch's text in blocks of whole lines. Raises UnreadableBatch when it is not GZIP or is cut short."""
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
