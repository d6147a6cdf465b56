"""A write as it travels: one JSON line, the same from the API to the archive."""

import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

# Firehose takes records of up to 1,000 KiB.
LARGEST_RECORD = 1_024_000

NO_DATA = msgspec.Raw(b"null")

# Ends are `\Z`: `$` would let a line's end pass.
Name = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,47}\Z")]


class Write(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One accepted POST, PUT or DELETE.

    `version` orders the writes to an item. `owner` is the caller's token subject, empty in a shared collection.
    `schema` is the resource's revision when the write was accepted. `data` is the item as canonical JSON, null
    for a delete.
    """

    version: Annotated[str, Meta(pattern=r"^[0-7][0-9A-HJKMNP-TV-Z]{25}\Z")]
    collection: Name
    id: Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9._~-]+\Z")]
    operation: Literal["put", "delete"]
    owner: Annotated[str, Meta(max_length=128, pattern=r"^[!-~]*\Z")]
    accepted_at: Annotated[datetime.datetime, Meta(tz=True)]
    schema: Annotated[int, Meta(ge=1)]
    data: msgspec.Raw = NO_DATA

    def __post_init__(self) -> None:
        start = bytes(self.data)[:1]
        if start != (b"{" if self.operation == "put" else b"n"):
            raise ValueError("Expected `data` to be an object for a put, null for a delete")


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Write)


def to_line(write: Write) -> bytes:
    """Encode a write as one JSON line, its end included."""
    return _encoder.encode(write) + b"\n"


def from_line(line: bytes | memoryview) -> Write:
    """Decode a write. Raises msgspec.ValidationError (not a write) or msgspec.DecodeError (not JSON)."""
    return _decoder.decode(line)
