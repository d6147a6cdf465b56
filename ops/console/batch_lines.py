"""Read the lines of a batch from S3 as a stream: it may be large, and its text comes from clients."""

import json
import zlib
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from ops.aws import Stack
from ops.batches import get_batch_bucket
from ops.console.messages import BatchWrite

CHUNK_BYTES = 1 << 16
MAX_BLOCK_BYTES = 1 << 20  # of text, from one step of decompression
# A record of the stream has at most 1,000 KiB; a longer line is not a write.
MAX_LINE_BYTES = 1_024_000
GZIP_WINDOW = zlib.MAX_WBITS | 16


class UnreadableBatchError(Exception):
    """The batch is not GZIP, or does not exist any more. The message is a sentence."""


def read_lines(stack: Stack, key: str, needle: bytes = b"") -> Iterator[tuple[int, bytes]]:
    """Yield number (from 1) and text of a batch's lines, those that contain `needle` only.

    Text without the needle is skipped in blocks, before it is split into lines. Raises UnreadableBatchError, and the
    exceptions of botocore.
    """
    number, rest = 0, b""
    for block in _read_blocks(stack, key):
        text = rest + block
        whole, line_feed, rest = text.rpartition(b"\n")
        if not line_feed:
            _check_length(key, rest)
            continue
        if not needle or needle in whole:
            for offset, line in enumerate(whole.split(b"\n"), number + 1):
                if line and needle in line:
                    yield offset, line
        number += whole.count(b"\n") + 1
        _check_length(key, rest)
    if rest and needle in rest:
        yield number + 1, rest


def _read_blocks(stack: Stack, key: str) -> Iterator[bytes]:
    try:
        body = stack.client("s3").get_object(Bucket=get_batch_bucket(stack), Key=key)["Body"]
    except ClientError as error:
        if error.response["Error"]["Code"] in {"NoSuchKey", "404"}:
            raise UnreadableBatchError(f"There is no batch {key}.") from None
        raise
    with body:
        inflater = zlib.decompressobj(GZIP_WINDOW)
        try:
            for chunk in body.iter_chunks(CHUNK_BYTES):
                data = chunk
                while data:
                    yield inflater.decompress(data, MAX_BLOCK_BYTES)
                    data = inflater.unconsumed_tail
                    if inflater.eof:  # a batch may have several members
                        data = inflater.unused_data
                        inflater = zlib.decompressobj(GZIP_WINDOW)
        except zlib.error:
            raise UnreadableBatchError(f"The batch {key} cannot be read: it is not GZIP.") from None


def _check_length(key: str, line: bytes) -> None:
    if len(line) > MAX_LINE_BYTES + MAX_BLOCK_BYTES:
        raise UnreadableBatchError(f"The batch {key} cannot be read: a line is too long.")


def decode_write(line: bytes) -> dict[str, Any] | None:
    """A write of a batch; None when the line is none."""
    try:
        write = json.loads(line)
    except (ValueError, RecursionError):
        return None
    texts = ("version", "collection", "id", "owner", "operation", "accepted_at")
    is_write = isinstance(write, dict) and all(isinstance(write.get(name), str) for name in texts)
    return write if is_write else None


def list_writes(stack: Stack, key: str, limit: int) -> tuple[list[BatchWrite], bool]:
    """The first writes of a batch, and whether these are all. Raises UnreadableBatchError."""
    writes: list[BatchWrite] = []
    for _, line in read_lines(stack, key):
        if len(writes) == limit:
            return writes, False
        if write := decode_write(line):
            writes.append(
                BatchWrite(
                    write["version"], write["collection"], write["id"], write["owner"], write["operation"],
                    write["accepted_at"], str(write.get("request_id", "")),
                )
            )  # fmt: skip
    return writes, True
