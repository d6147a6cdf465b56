"""Read a batch from S3 in blocks of whole lines, and prefetch the next part while the database is busy."""

import gzip
import queue
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TypeVar

from sluice.aws.s3 import get_s3_client
from sluice.errors import UnreadableBatch

BLOCK_BYTES = 1 << 19  # bytes of text at a time; the fastest of the powers of two, as the caches go


BlockTransform = Callable[[bytes], bytes]


@dataclass(frozen=True)
class BatchObject:
    """One object of writes. `etag` is the one that S3 answered with, which may be newer than the event's.

    `change` is made to every block of its text as it is read: whole lines in, whole lines out.
    """

    key: str
    etag: str
    body: IO[bytes]
    transform_block: BlockTransform | None = None


def open_batch(bucket: str, key: str) -> BatchObject:
    """Open a batch for reading. Raises botocore's errors."""
    answer = get_s3_client().get_object(Bucket=bucket, Key=key)
    return BatchObject(key, answer["ETag"].strip('"'), answer["Body"])


def read_blocks(batch: BatchObject) -> Iterator[bytes]:
    """Yield a batch's text in blocks of whole lines. Raises UnreadableBatch when it is not GZIP or is cut short."""
    for block in _read_whole_lines(batch):
        text = batch.transform_block(block) if batch.transform_block else block
        if text:
            yield text


def _read_whole_lines(batch: BatchObject) -> Iterator[bytes]:
    rest = b""
    for text in _decompress(batch):
        end = text.rfind(b"\n") + 1
        if end:
            yield rest + text[:end]
            rest = text[end:]
        else:
            rest += text
    if rest:
        yield rest


def _decompress(batch: BatchObject) -> Iterator[bytes]:
    try:
        with gzip.GzipFile(fileobj=batch.body) as text:
            while block := text.read(BLOCK_BYTES):
                yield block
            empty = text.mtime is None  # GZIP of nothing has a header, an object of no bytes has none
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise UnreadableBatch(f"{batch.key} is not GZIP, or cut short") from None
    if empty:
        raise UnreadableBatch(f"{batch.key} is empty")


Part = TypeVar("Part")


@contextmanager
def prefetch(parts: Iterator[Part]) -> Iterator[Iterator[Part]]:
    """Iterate over parts that a thread makes, each while the one before is at work: two are at hand, never three.

    What the thread's iterator raises is raised at its turn. On leaving, the thread has ended, wherever it was.
    """
    ready: queue.SimpleQueue[tuple[Part | None, BaseException | None]] = queue.SimpleQueue()
    may_go_on, left = threading.Semaphore(), threading.Event()

    def work() -> None:
        error: BaseException | None = None
        try:
            while may_go_on.acquire() and not left.is_set():
                part = next(parts, None)
                if part is None:
                    break
                ready.put((part, None))
                del part
        except BaseException as caught:  # noqa: BLE001  raised in the other thread
            error = caught
        ready.put((None, error))

    def taken() -> Iterator[Part]:
        while True:
            part, error = ready.get()
            if error is not None:
                raise error
            if part is None:
                return
            may_go_on.release()
            yield part

    thread = threading.Thread(target=work, name="ahead", daemon=True)
    thread.start()
    try:
        yield taken()
    finally:
        left.set()
        may_go_on.release()
        thread.join()
