"""From a line's raw JSON values to a row of LOAD DATA.

The statement reads fields that end at a tab, may stand in double quotes and are escaped by a backslash (`FORMAT`).
A JSON number or text is such a field as it stands, apart from the few escapes that only JSON knows. So a row is made
by joining, and only values that need it are looked at one by one.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from sluice.loading.shapes import Line
from sluice.resource import Resource

FORMAT = (
    r"""CHARACTER SET utf8mb4 FIELDS TERMINATED BY '\t' OPTIONALLY ENCLOSED BY '"' ESCAPED BY '\\' """
    r"""LINES TERMINATED BY '\n'"""
)
NULL = b"\\N"

Render = Callable[[Line], bytes]
Value = Callable[[bytes], bytes]

_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0"})


def renderer(resource: Resource) -> Render:
    """Make the function that renders a line of a resource: owner, id, version, written_at, deleted, then its fields.

    It raises ValueError for a put without data.
    """
    width = len(resource.columns)
    special = {at: _SPECIAL[c.type.name] for at, c in enumerate(resource.columns) if c.type.name in _SPECIAL}
    plain = [at for at in range(width) if at not in special]
    tombstone = [b"1", *[NULL] * width]

    def render(line: Line) -> bytes:
        head: list[Any] = [line.owner, line.id, line.version, _datetime(bytes(line.accepted_at))]
        if line.operation == "delete":
            return b"\t".join([*head, *tombstone]) + b"\n"
        if line.data is None:
            raise ValueError("a put has no data")
        values: list[Any] = list(msgspec.structs.astuple(line.data)[:width])
        for at, value in special.items():
            values[at] = value(bytes(values[at]))
        row = b"\t".join([*head, b"0", *values])
        if b"\\" in row or b"null" in row:
            for at in plain:
                values[at] = _plain(bytes(values[at]))
            row = b"\t".join([*(_plain(bytes(value)) for value in head), b"0", *values])
        return row + b"\n"

    return render


def _plain(raw: bytes) -> bytes:
    """A number or text: only a text with an escape that LOAD DATA reads otherwise is written anew."""
    if raw == b"null":
        return NULL
    if b"\\u" in raw or b"\\f" in raw:
        return f'"{msgspec.json.decode(raw, type=str).translate(_ESCAPES)}"'.encode()
    return raw


def _json(raw: bytes) -> bytes:
    """A JSON column keeps the text as it is: what LOAD DATA would unescape is escaped once more."""
    if raw == b"null":
        return NULL
    # A tab or line end can only stand between JSON's tokens, where a blank does as well.
    return raw.replace(b"\\", b"\\\\").replace(b"\t", b" ").replace(b"\n", b" ")


def _boolean(raw: bytes) -> bytes:
    return {b"true": b"1", b"false": b"0", b"null": NULL}.get(raw, raw)


def _datetime(raw: bytes) -> bytes:
    """MariaDB takes no zone: a canonical value ends in Z. Another ending reaches the database, which refuses it."""
    if raw == b"null":
        return NULL
    return raw[:-2] + b'"' if raw.endswith(b'Z"') else raw


_SPECIAL: dict[str, Value] = {"JSON": _json, "BOOLEAN": _boolean, "DATETIME": _datetime}
