"""Decode a line to raw JSON values, and render them as the text of a row, for the strict reader."""

import datetime
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
from msgspec import Raw

from sluice.load import row_format
from sluice.load.row_format import NULL, are_utc_datetimes, has_json_escapes, replace_json_escapes
from sluice.model.resource import Resource


class StrictLine(msgspec.Struct):
    """What every line has; each resource's own class adds its `data`. The class's tag is the collection."""

    version: Raw
    id: Raw
    operation: Literal["put", "delete"]
    owner: Raw
    accepted_at: Raw
    schema: int
    data: Any


@dataclass(frozen=True)
class LineDecoders:
    """Decoders for the lines of all resources.

    `exact` refuses a field that no column takes, and asks for those that are required. `older` skips the one, and
    takes for the other the NULL that a row from before has.
    """

    exact: msgspec.json.Decoder[StrictLine]
    older: msgspec.json.Decoder[StrictLine]


def create_line_decoders(resources: Iterable[Resource]) -> LineDecoders:
    """Make the decoders for some resources."""
    known = list(resources)
    return LineDecoders(_create_decoder(known, exact=True), _create_decoder(known, exact=False))


def _create_decoder(resources: list[Resource], *, exact: bool) -> msgspec.json.Decoder[StrictLine]:
    union: Any = None
    for resource in resources:
        line = msgspec.defstruct(
            "Line",
            [("data", _create_data_class(resource, exact=exact) | None)],
            bases=(StrictLine,),
            tag_field="collection",
            tag=resource.collection,
        )
        union = line if union is None else union | line
    return msgspec.json.Decoder(union)


def _create_data_class(resource: Resource, *, exact: bool) -> Any:
    """A class with a raw value for each column, in their order, and one more for a natural key."""
    fields: list[Any] = []
    for column in resource.columns:
        if not column.is_required:
            fields.append((column.name, Raw, Raw(resource.encode_default(column.name))))
        else:
            fields.append((column.name, Raw) if exact else (column.name, Raw, NULL))
    if resource.key:
        fields.append((resource.key, Raw) if exact else (resource.key, Raw, NULL))
    return msgspec.defstruct("Data", fields, kw_only=True, forbid_unknown_fields=exact)


NULL_TEXT = bytes(row_format.NULL)


RenderLine = Callable[[StrictLine], bytes]


RenderRawValue = Callable[[bytes, str], bytes]


def create_strict_renderer(resource: Resource) -> RenderLine:
    """Make the function that renders a line of a resource: the system columns, then its fields.

    It raises ValueError, with a sentence, for what the database would take but not keep as it is: a value of another
    type, a null where none belongs, a text that is no UTF-8.
    """
    width = len(resource.columns)
    columns = [(_VALUES.get(column.type.name, _text), column.name, column.presence) for column in resource.columns]
    tombstone = [b"1", *[NULL_TEXT] * width]

    def render(line: StrictLine) -> bytes:
        head = [_text(bytes(part), "the envelope") for part in (line.version, line.owner, line.id)]
        head.append(_moment(bytes(line.accepted_at)))
        if line.operation == "delete":
            return _row([*head, *tombstone])
        values = []
        for (value, name, presence), raw in zip(columns, map(bytes, msgspec.structs.astuple(line.data)), strict=False):
            if raw == b"null" and presence != "optional":
                raise ValueError(f"Expected a value for {name}, not null")
            values.append(NULL_TEXT if raw in (b"null", NULL_TEXT) else value(raw, name))
        return _row([*head, b"0", *values])

    return render


def _row(values: list[bytes]) -> bytes:
    row = b"[" + b",".join(values) + b"]"
    return replace_json_escapes(row) if has_json_escapes(row) else row


def _text(raw: bytes, name: str) -> bytes:
    if not raw.startswith(b'"'):
        raise ValueError(f"Expected a text for {name}")
    if raw.isascii() and b"\\u" not in raw:
        return raw
    try:
        return msgspec.json.encode(msgspec.json.decode(raw, type=str))
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ValueError(f"Expected a text in UTF-8 for {name}") from None


def _json(raw: bytes, name: str) -> bytes:
    """A JSON column keeps the text as it is, so it is sent as a text."""
    try:
        return msgspec.json.encode(raw.decode())
    except UnicodeDecodeError:
        raise ValueError(f"Expected UTF-8 for {name}") from None


def _boolean(raw: bytes, name: str) -> bytes:
    if raw not in _BOOLEANS:
        raise ValueError(f"Expected true or false for {name}")
    return _BOOLEANS[raw]


def _integer(raw: bytes, name: str) -> bytes:
    """The database would round a fraction."""
    if not raw.removeprefix(b"-").isdigit():
        raise ValueError(f"Expected an integer for {name}")
    return raw


def _number(raw: bytes, name: str) -> bytes:
    if not raw.startswith(_STARTS_OF_NUMBERS):
        raise ValueError(f"Expected a number for {name}")
    return raw


def _decimal(raw: bytes, name: str) -> bytes:
    return raw if raw.startswith(_STARTS_OF_NUMBERS) else _text(raw, name)


def _date(raw: bytes, name: str) -> bytes:
    """The database takes 2024-1-5 and 20240105 too."""
    text = _text(raw, name)
    try:
        msgspec.json.decode(text, type=datetime.date)
    except msgspec.ValidationError:
        raise ValueError(f"Expected a date such as 2026-12-24 for {name}") from None
    return text


def _datetime(raw: bytes, name: str) -> bytes:
    """MariaDB takes no zone, and takes it for no fault that there is none: a canonical value ends in Z."""
    text = _text(raw, name)
    if not are_utc_datetimes([text[1:-1].decode()]):
        raise ValueError(f"Expected a date-time in UTC such as 2026-12-24T09:30:00Z for {name}")
    return text[:-2] + b'"'


def _moment(raw: bytes) -> bytes:
    """An accepted_at may be in any zone."""
    moment = msgspec.json.decode(raw, type=datetime.datetime)
    try:
        return msgspec.json.encode(moment.astimezone(datetime.UTC).replace(tzinfo=None))
    except OverflowError:
        raise ValueError("Expected a moment of the years 1 to 9999 for accepted_at") from None


_BOOLEANS = {b"true": b"1", b"false": b"0"}


_STARTS_OF_NUMBERS = tuple(b"%c" % character for character in b"-0123456789")


_VALUES: dict[str, RenderRawValue] = {
    "JSON": _json,
    "BOOLEAN": _boolean,
    "BIGINT": _integer,
    "DOUBLE": _number,
    "DECIMAL": _decimal,
    "DATE": _date,
    "DATETIME": _datetime,
}
