"""The record of one write: one JSON line, the same from the API to the archive."""

import datetime
import json
from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

# Firehose takes records of up to 1,000 KiB.
MAX_RECORD_BYTES = 1_024_000


NULL_DATA = msgspec.Raw(b"null")


# Ends are `\Z`: `$` would let a line's end pass.
CollectionName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,47}\Z")]


class Write(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One accepted POST, PUT or DELETE.

    `version` orders the writes to an item. `owner` is the caller's token subject, empty in a shared collection.
    `schema` is the resource's revision when the write was accepted. `data` is the item as canonical JSON, null
    for a delete.
    """

    version: Annotated[str, Meta(pattern=r"^[0-7][0-9A-HJKMNP-TV-Z]{25}\Z")]
    collection: CollectionName
    id: Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9._~-]+\Z")]
    operation: Literal["put", "delete"]
    owner: Annotated[str, Meta(max_length=128, pattern=r"^[!-~]*\Z")]
    accepted_at: Annotated[datetime.datetime, Meta(tz=True)]
    schema: Annotated[int, Meta(ge=1)]
    data: msgspec.Raw = NULL_DATA

    def __post_init__(self) -> None:
        start = bytes(self.data)[:1]
        if start != (b"{" if self.operation == "put" else b"n"):
            raise ValueError("Expected `data` to be an object for a put, null for a delete")


_encoder = msgspec.json.Encoder()


_decoder = msgspec.json.Decoder(Write)


def encode_write(write: Write) -> bytes:
    """Encode a write as one JSON line, its end included."""
    return _encoder.encode(write) + b"\n"


def decode_write(line: bytes | memoryview) -> Write:
    """Decode a write. Raises msgspec.ValidationError (not a write) or msgspec.DecodeError (not JSON)."""
    return _decoder.decode(line)


_json_decoder = json.JSONDecoder()


def split_record(record: bytes) -> tuple[list[bytes], int]:
    """The lines of a record that are writes, without their ends; and how many are none."""
    lines = [line for line in record.split(b"\n") if line]
    writes = [line for line in lines if _is_write(line)]
    return writes, len(lines) - len(writes)


def split_joined_records(records: bytes) -> Iterator[bytes]:
    """The lines of all writes in records that stand one after the other, without their ends.

    Nothing tells where a record began, so each line stands for itself; one record without a line's end and the next
    are told apart where they are JSON. What is no write is left out: it was no write to the transform either.
    """
    for line in records.split(b"\n"):
        if _is_write(line):
            yield line
        elif line:
            yield from (value for value in _apart(line) if _is_write(value))


def _is_write(line: bytes) -> bool:
    try:
        decode_write(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _apart(line: bytes) -> Iterator[bytes]:
    """The JSON values that a line begins with. What follows a broken one could be a part of it, and is not taken."""
    text, at = line.decode(errors="surrogateescape"), 0
    while at < len(text):
        try:
            _, end = _json_decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            return
        yield text[at:end].encode(errors="surrogateescape")
        at = end
