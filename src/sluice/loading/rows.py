"""From a line's raw JSON values to the text of a row, for the careful reader: the database is to judge every value."""

from collections.abc import Callable
from typing import Any

import msgspec

from sluice.loading.format import has_json_escapes, without_json_escapes
from sluice.loading.shapes import Line
from sluice.resource import Resource

NULL = b"NULL"

Render = Callable[[Line], bytes]
Value = Callable[[bytes, str], bytes]


def renderer(resource: Resource) -> Render:
    """Make the function that renders a line of a resource: the system columns, then its fields.

    It raises ValueError, with a sentence, for what cannot be sent: a put without data, an array where its column takes
    one value, a text that is no UTF-8.
    """
    width = len(resource.columns)
    names = [column.name for column in resource.columns]
    values = [_SPECIAL.get(column.type.name, _plain) for column in resource.columns]
    tombstone = [b"1", *[NULL] * width]

    def render(line: Line) -> bytes:
        head: list[Any] = [
            *(_plain(bytes(part), "the envelope") for part in (line.version, line.owner, line.id)),
            _datetime(bytes(line.accepted_at), "accepted_at"),
        ]
        if line.operation == "delete":
            return _row([*head, *tombstone])
        if line.data is None:
            raise ValueError("a put has no data")
        raws = msgspec.structs.astuple(line.data)[:width]
        return _row([*head, b"0", *(v(bytes(raw), name) for v, raw, name in zip(values, raws, names, strict=True))])

    return render


def _row(values: list[bytes]) -> bytes:
    row = b"[" + b",".join(values) + b"]"
    return without_json_escapes(row) if has_json_escapes(row) else row


def _plain(raw: bytes, name: str) -> bytes:
    """A number or a text stands for itself; what has commas of its own would be taken for several fields."""
    if raw == b"null":
        return NULL
    if raw.startswith((b"[", b"{")):
        raise ValueError(f"Expected one value for {name}, not an array or an object")
    if raw.isascii() and b"\\u" not in raw:
        return raw
    # The database would take what is no character: half a surrogate pair, or its three bytes.
    return msgspec.json.encode(_decoded(raw, name))


def _decoded(raw: bytes, name: str) -> str:
    try:
        return msgspec.json.decode(raw, type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ValueError(f"Expected a text in UTF-8 for {name}") from None


def _json(raw: bytes, name: str) -> bytes:
    """A JSON column keeps the text as it is, so it is sent as a text."""
    if raw == b"null":
        return NULL
    try:
        return msgspec.json.encode(raw.decode())
    except UnicodeDecodeError:
        raise ValueError(f"Expected UTF-8 for {name}") from None


def _boolean(raw: bytes, name: str) -> bytes:
    return {b"true": b"1", b"false": b"0"}.get(raw) or _plain(raw, name)


def _datetime(raw: bytes, name: str) -> bytes:
    """MariaDB takes no zone: a canonical value ends in Z. Another ending reaches the database, which refuses it."""
    return raw[:-2] + b'"' if raw.endswith(b'Z"') else _plain(raw, name)


_SPECIAL: dict[str, Value] = {"JSON": _json, "BOOLEAN": _boolean, "DATETIME": _datetime}
