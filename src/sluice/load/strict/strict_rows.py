"""Decode a line to raw JSON values, and render them as the text of a row, for the strict reader.

Values stay JSON text (`msgspec.Raw`), because LOAD DATA reads most of them as they are. The database judges every
value. Only the values that it would accept and change are checked here.
"""

import datetime
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
from msgspec import Raw

from sluice.load.row_format import NULL, are_utc_datetimes, has_json_escapes, replace_json_escapes
from sluice.model.resource import Resource

NULL_TEXT = bytes(NULL)


class StrictLine(msgspec.Struct):
    """The fields of every line. Each resource's own class adds its `data`. The class's tag is the collection."""

    version: Raw
    id: Raw
    operation: Literal["put", "delete"]
    owner: Raw
    accepted_at: Raw
    schema: int
    data: Any


RenderLine = Callable[[StrictLine], bytes]
RenderRawValue = Callable[[bytes, str], bytes]


@dataclass(frozen=True)
class LineDecoders:
    """Decoders for the lines of all resources.

    `exact` refuses a field that has no column, and a line without a required field. `older` ignores the former, and
    takes NULL for the latter, as a row from before the field has.
    """

    exact: msgspec.json.Decoder[StrictLine]
    older: msgspec.json.Decoder[StrictLine]


def create_line_decoders(resources: Iterable[Resource]) -> LineDecoders:
    """Create the decoders for resources."""
    served = list(resources)
    return LineDecoders(_create_decoder(served, exact=True), _create_decoder(served, exact=False))


def _create_decoder(resources: list[Resource], *, exact: bool) -> msgspec.json.Decoder[StrictLine]:
    union: Any = None
    for resource in resources:
        line_class = msgspec.defstruct(
            "Line",
            [("data", _create_data_class(resource, exact=exact) | None)],
            bases=(StrictLine,),
            tag_field="collection",
            tag=resource.collection,
        )
        union = line_class if union is None else union | line_class
    return msgspec.json.Decoder(union)


def _create_data_class(resource: Resource, *, exact: bool) -> Any:
    """Create a class with a raw value for each column, in their order, and one more for a natural key."""
    fields: list[Any] = []
    for column in resource.columns:
        if not column.is_required:
            fields.append((column.name, Raw, Raw(resource.encode_default(column.name))))
        else:
            fields.append((column.name, Raw) if exact else (column.name, Raw, NULL))
    if resource.key:
        fields.append((resource.key, Raw) if exact else (resource.key, Raw, NULL))
    return msgspec.defstruct("Data", fields, kw_only=True, forbid_unknown_fields=exact)


def create_strict_renderer(resource: Resource) -> RenderLine:
    """Create the function that renders a line of a resource: the system columns, then its fields.

    It raises ValueError with a sentence for a value that the database would accept but change: a value of another
    type, a null in a field that must have a value, a text that is not UTF-8.
    """
    width = len(resource.columns)
    columns = [
        (_VALUE_RENDERERS.get(column.type.name, _render_text), column.name, column.presence)
        for column in resource.columns
    ]
    tombstone = [b"1", *[NULL_TEXT] * width]

    def render(line: StrictLine) -> bytes:
        head = [_render_text(bytes(part), "the envelope") for part in (line.version, line.owner, line.id)]
        head.append(_render_accepted_at(bytes(line.accepted_at)))
        if line.operation == "delete":
            return _join_row([*head, *tombstone])
        values = []
        raw_values = map(bytes, msgspec.structs.astuple(line.data))
        for (render_value, name, presence), raw in zip(columns, raw_values, strict=False):
            if raw == b"null" and presence != "optional":
                raise ValueError(f"Expected a value for {name}, not null")
            values.append(NULL_TEXT if raw in (b"null", NULL_TEXT) else render_value(raw, name))
        return _join_row([*head, b"0", *values])

    return render


def _join_row(values: list[bytes]) -> bytes:
    row = b"[" + b",".join(values) + b"]"
    return replace_json_escapes(row) if has_json_escapes(row) else row


def _render_text(raw: bytes, name: str) -> bytes:
    if not raw.startswith(b'"'):
        raise ValueError(f"Expected a text for {name}")
    if raw.isascii() and b"\\u" not in raw:
        return raw
    try:
        return msgspec.json.encode(msgspec.json.decode(raw, type=str))
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ValueError(f"Expected a text in UTF-8 for {name}") from None


def _render_json(raw: bytes, name: str) -> bytes:
    """A JSON column keeps the text as it is, so it is sent as a string."""
    try:
        return msgspec.json.encode(raw.decode())
    except UnicodeDecodeError:
        raise ValueError(f"Expected UTF-8 for {name}") from None


def _render_boolean(raw: bytes, name: str) -> bytes:
    if raw not in _BOOLEANS:
        raise ValueError(f"Expected true or false for {name}")
    return _BOOLEANS[raw]


def _render_integer(raw: bytes, name: str) -> bytes:
    """The database would round a fraction."""
    if not raw.removeprefix(b"-").isdigit():
        raise ValueError(f"Expected an integer for {name}")
    return raw


def _render_number(raw: bytes, name: str) -> bytes:
    if not raw.startswith(_NUMBER_STARTS):
        raise ValueError(f"Expected a number for {name}")
    return raw


def _render_decimal(raw: bytes, name: str) -> bytes:
    return raw if raw.startswith(_NUMBER_STARTS) else _render_text(raw, name)


def _render_date(raw: bytes, name: str) -> bytes:
    """The database accepts 2024-1-5 and 20240105 too."""
    text = _render_text(raw, name)
    try:
        msgspec.json.decode(text, type=datetime.date)
    except msgspec.ValidationError:
        raise ValueError(f"Expected a date such as 2026-12-24 for {name}") from None
    return text


def _render_datetime(raw: bytes, name: str) -> bytes:
    """MariaDB accepts no time zone, and does not notice when a Z is missing. A canonical value ends in Z."""
    text = _render_text(raw, name)
    if not are_utc_datetimes([text[1:-1].decode()]):
        raise ValueError(f"Expected a date-time in UTC such as 2026-12-24T09:30:00Z for {name}")
    return text[:-2] + b'"'


def _render_accepted_at(raw: bytes) -> bytes:
    """An accepted_at can be in any time zone."""
    accepted_at = msgspec.json.decode(raw, type=datetime.datetime)
    try:
        return msgspec.json.encode(accepted_at.astimezone(datetime.UTC).replace(tzinfo=None))
    except OverflowError:
        raise ValueError("Expected a moment of the years 1 to 9999 for accepted_at") from None


_BOOLEANS = {b"true": b"1", b"false": b"0"}
_NUMBER_STARTS = tuple(b"%c" % character for character in b"-0123456789")
_VALUE_RENDERERS: dict[str, RenderRawValue] = {
    "JSON": _render_json,
    "BOOLEAN": _render_boolean,
    "BIGINT": _render_integer,
    "DOUBLE": _render_number,
    "DECIMAL": _render_decimal,
    "DATE": _render_date,
    "DATETIME": _render_datetime,
}
