"""Read a batch from S3 in blocks of whole lines, and prefetch the next part while the database works."""

import gzip
import queue
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TypeVar

import msgspec

from sluice.aws.s3 import S3Client
from sluice.errors import UnreadableBatch
from sluice.model.record import split_joined_records

BLOCK_BYTES = 1 << 19  # of text; the fastest power of two, because of the processor's caches

Part = TypeVar("Part")
BlockTransform = Callable[[bytes], bytes]


class _Collection(msgspec.Struct):
    collection: str


_collection_decoder = msgspec.json.Decoder(_Collection)


@dataclass(frozen=True)
class BatchObject:
    """One object of writes. `etag` is the current one, which can be newer than that of the event.

    `transform_block` changes every block of the text: whole lines in, whole lines out.
    """

    key: str
    etag: str
    body: IO[bytes]
    transform_block: BlockTransform | None = None


# Opens a batch by the name of its bucket and by its key.
BatchOpener = Callable[[str, str], BatchObject]


def open_batch(s3: S3Client, bucket: str, key: str) -> BatchObject:
    """Open a batch for reading. Raises botocore's errors."""
    body, etag = s3.bucket(bucket).open_object(key)
    return BatchObject(key, etag, body)


def create_replay_opener(
    open_batch: BatchOpener, *, archived: bool, collections: frozenset[str] = frozenset()
) -> BatchOpener:
    """Create the opener of a replay: it normalises objects of the archive, and keeps only lines of some collections.

    A line number then counts only the lines that are left.
    """

    def transform_block(block: bytes) -> bytes:
        lines = list(split_joined_records(block)) if archived else block.removesuffix(b"\n").split(b"\n")
        if collections:
            lines = [line for line in lines if _is_in_collections(line, collections)]
        return b"".join(line + b"\n" for line in lines)

    def open_transformed(bucket: str, key: str) -> BatchObject:
        batch = open_batch(bucket, key)
        return BatchObject(batch.key, batch.etag, batch.body, transform_block)

    return open_transformed


def _is_in_collections(line: bytes, collections: frozenset[str]) -> bool:
    """Whether to keep a line. A line that is not a write stays, so that its batch is still unreadable."""
    try:
        return _collection_decoder.decode(line).collection in collections
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return True


def read_blocks(batch: BatchObject) -> Iterator[bytes]:
    """Yield the text of a batch in blocks of whole lines. Raises UnreadableBatch if it is no GZIP or is truncated."""
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
            is_empty = text.mtime is None  # compressed empty text has a header, an object without bytes has none
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise UnreadableBatch(f"{batch.key} is not GZIP, or is truncated") from None
    if is_empty:
        raise UnreadableBatch(f"{batch.key} is empty")


@contextmanager
def prefetch(parts: Iterator[Part]) -> Iterator[Iterator[Part]]:
    """Iterate over parts that a thread produces. At most two parts exist at a time: one in use and the next one.

    An exception of the thread is raised when its part is due. The thread has ended when the context ends.
    """
    ready: queue.SimpleQueue[tuple[Part | None, BaseException | None]] = queue.SimpleQueue()
    may_read_next, is_closed = threading.Semaphore(), threading.Event()

    def read() -> None:
        error: BaseException | None = None
        try:
            while may_read_next.acquire() and not is_closed.is_set():
                part = next(parts, None)
                if part is None:
                    break
                ready.put((part, None))
                del part
        except BaseException as caught:  # noqa: BLE001  the other thread raises it
            error = caught
        ready.put((None, error))

    def receive() -> Iterator[Part]:
        while True:
            part, error = ready.get()
            if error is not None:
                raise error
            if part is None:
                return
            may_read_next.release()
            yield part

    thread = threading.Thread(target=read, name="prefetch", daemon=True)
    thread.start()
    try:
        yield receive()
    finally:
        is_closed.set()
        may_read_next.release()
        thread.join()
