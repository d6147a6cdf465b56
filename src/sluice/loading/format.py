"""The text of a row as it is sent: a JSON array, which LOAD DATA reads as it stands.

Fields end at a comma, may stand in double quotes and are escaped by a backslash: JSON's texts and numbers are such
fields, but for the escapes `\\u` and `\\f`, which only JSON knows.
"""

import re

from msgspec import Raw

CLAUSE = (
    r"""CHARACTER SET utf8mb4 FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '"' ESCAPED BY '\\' """
    r"""LINES STARTING BY '[' TERMINATED BY ']\n'"""
)

# LOAD DATA takes this word outside of quotes as NULL.
NULL = Raw(b"NULL")

_ESCAPE = re.compile(rb"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)
_ONLY_JSON = {b"f": b"\x0c"}
_STILL_ESCAPED = {b"\0": b"\\0", b"\\": b"\\\\", b'"': b'\\"'}


def has_json_escapes(text: bytes) -> bool:
    """Whether a text may have an escape that only JSON knows."""
    return b"\\" in text and (b"\\u" in text or b"\\f" in text)


def without_json_escapes(row: bytes) -> bytes:
    """The same row with the escapes that only JSON knows replaced by the characters.

    A NUL, a quote and a backslash keep an escape.
    """
    return _ESCAPE.sub(_character, row)


def _character(escape: re.Match[bytes]) -> bytes:
    name = escape[1]
    if name[:1] != b"u" or len(name) == 1:
        return _ONLY_JSON.get(name, escape[0])
    character = chr(int(name[1:], 16)).encode("utf-8", "surrogatepass")
    return _STILL_ESCAPED.get(character, character)
