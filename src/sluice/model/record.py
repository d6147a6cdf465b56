"""The record of a write: one JSON line, the same from the API to the archive."""

import datetime
import json
import string
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

if TYPE_CHECKING:  # a function that only reads records needs no resources
    from sluice.model.resource import Item, Resource

# Firehose takes records of up to 1,000 KiB.
MAX_RECORD_BYTES = 1_024_000

# A record without a write, by which a status finds out whether the stream accepts records. The transform drops it. In
# the archive it is an empty line, which every reader skips.
PROBE_RECORD = b"\n"

NULL_DATA = msgspec.Raw(b"null")

MAX_REQUEST_ID_LENGTH = 64
REQUEST_ID_CHARACTERS = f"{string.ascii_letters}{string.digits}-".encode()

# Patterns end with `\Z`, because `$` also matches before a final line feed.
RequestId = Annotated[str, Meta(max_length=MAX_REQUEST_ID_LENGTH, pattern=r"^[A-Za-z0-9-]*\Z")]
CollectionName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,47}\Z")]


class Write(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One accepted POST, PUT or DELETE.

    `version` orders the writes to an item. `owner` is the subject of the caller's token, empty in a shared collection.
    `request_id` is the API's id of the request, by which logs can be searched. `schema` is the resource's revision at
    the time of the write. `data` is the item as canonical JSON, null for a delete.
    """

    version: Annotated[str, Meta(pattern=r"^[0-7][0-9A-HJKMNP-TV-Z]{25}\Z")]
    collection: CollectionName
    id: Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9._~-]+\Z")]
    operation: Literal["put", "delete"]
    owner: Annotated[str, Meta(max_length=128, pattern=r"^[!-~]*\Z")]
    accepted_at: Annotated[datetime.datetime, Meta(tz=True)]
    request_id: RequestId | msgspec.UnsetType = msgspec.UNSET
    schema: Annotated[int, Meta(ge=1)]
    data: msgspec.Raw = NULL_DATA

    def __post_init__(self) -> None:
        first_byte = bytes(self.data)[:1]
        if first_byte != (b"{" if self.operation == "put" else b"n"):
            raise ValueError("Expected `data` to be an object for a put, null for a delete")


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Write)
_json_decoder = json.JSONDecoder()


def create_record(  # noqa: PLR0913, PLR0917  what a write consists of
    resource: "Resource",
    subject: str,
    item_id: str,
    version: str,
    accepted_at: datetime.datetime,
    item: "Item | None",
    request_id: str,
) -> bytes:
    """Create the record of a new write by the caller `subject`. `item` is None for a delete."""
    write = Write(
        version=version,
        collection=resource.collection,
        id=item_id,
        operation="delete" if item is None else "put",
        owner=subject if resource.private else "",
        accepted_at=accepted_at,
        request_id=request_id or msgspec.UNSET,
        schema=resource.revision,
        data=NULL_DATA if item is None else encode_item(item, resource),
    )
    return encode_write(write)


def encode_item(item: "Item", resource: "Resource") -> msgspec.Raw:
    """Encode an item as the data of its write. An optional field that is null is left out, as if it was not sent."""
    for field in resource.optional_fields:
        if getattr(item, field) is None:
            setattr(item, field, msgspec.UNSET)
    return msgspec.Raw(_encoder.encode(item))


def encode_write(write: Write) -> bytes:
    """Encode a write as one JSON line, including the line feed."""
    return _encoder.encode(write) + b"\n"


def decode_write(line: bytes | memoryview) -> Write:
    """Decode a line. Raises msgspec.ValidationError if it is not a write, msgspec.DecodeError if it is not JSON."""
    return _decoder.decode(line)


def split_record(record: bytes) -> tuple[list[bytes], int]:
    """Return the lines of a source record that are writes, without line feeds, and the number of its other lines."""
    lines = [line for line in record.split(b"\n") if line]
    writes = [line for line in lines if _is_write(line)]
    return writes, len(lines) - len(writes)


def split_joined_records(records: bytes) -> Iterator[bytes]:
    """Yield the writes of concatenated source records, as the archive has them, without line feeds.

    Nothing marks where a record began, so each line counts by itself. A record without a line feed at its end and the
    next record are separated if both are JSON. Other lines are left out, as the transform leaves them out.
    """
    for line in records.split(b"\n"):
        if _is_write(line):
            yield line
        elif line:
            yield from (value for value in _split_json_values(line) if _is_write(value))


def _is_write(line: bytes) -> bool:
    try:
        decode_write(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _split_json_values(line: bytes) -> Iterator[bytes]:
    """Yield the JSON values at the start of a line. What follows a broken value is ignored: it may be a part of it."""
    text, position = line.decode(errors="surrogateescape"), 0
    while position < len(text):
        try:
            _, end = _json_decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            return
        yield text[position:end].encode(errors="surrogateescape")
        position = end
