"""The text of a row as LOAD DATA reads it, and the canonical spelling of ids and date-times.

A row is a JSON array. LOAD DATA reads it as it is: fields end at a comma, can stand in double quotes, and are escaped
by a backslash. JSON strings and numbers are such fields, except for the escapes `\\u` and `\\f`, which only JSON knows.
"""

import re
import string
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import Any

from msgspec import Raw

from sluice.model.resource import Resource
from sluice.model.versions import VERSION_LENGTH

# The version comes first, so that the greater of two rows of an item is the later one.
SYSTEM_COLUMNS = ("version", "owner", "id", "written_at", "deleted")
_VERSION_START = len('["')

LOAD_DATA_FORMAT = (
    r"""CHARACTER SET utf8mb4 FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '"' ESCAPED BY '\\' """
    r"""LINES STARTING BY '[' TERMINATED BY ']\n'"""
)

# LOAD DATA reads this word as NULL when it stands outside quotes.
NULL = Raw(b"NULL")

_ESCAPE = re.compile(rb"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)
_JSON_ESCAPES = {b"f": b"\x0c"}
_STILL_ESCAPED = {b"\0": b"\\0", b"\\": b"\\\\", b'"': b'\\"'}


def extract_version(row: bytes) -> str:
    """Return the version in the text of a row."""
    return row[_VERSION_START : _VERSION_START + VERSION_LENGTH].decode()


def has_json_escapes(text: bytes) -> bool:
    """Whether a text can have an escape that only JSON knows."""
    return b"\\" in text and (b"\\u" in text or b"\\f" in text)


def replace_json_escapes(row: bytes) -> bytes:
    """Replace the escapes that only JSON knows by their characters. A NUL, a quote and a backslash stay escaped."""
    return _ESCAPE.sub(_unescape_character, row)


def _unescape_character(escape: re.Match[bytes]) -> bytes:
    name = escape[1]
    if name[:1] != b"u" or len(name) == 1:
        return _JSON_ESCAPES.get(name, escape[0])
    character = chr(int(name[1:], 16)).encode("utf-8", "surrogatepass")
    return _STILL_ESCAPED.get(character, character)


# The database accepts several spellings of an id or a date-time. Two spellings of an id would be two keys of one row.
# So the fast engine accepts only the spelling of the API. It checks a whole column at once, position by position.

SpellingCheck = Callable[[Sequence[Any], Sequence[str]], bool]

# `#` is a placeholder for one character of the given set; every other character stands for itself.
UUID_FORM, HEX_DIGITS = "########-####-####-####-############", b"0123456789abcdef"
DATETIME_FORM, MICROSECOND_DATETIME_FORM = "####-##-##T##:##:##Z", "####-##-##T##:##:##.######Z"
DIGITS = string.digits.encode()
NATURAL_ID_CHARACTERS = (string.ascii_letters + string.digits + "._~-").encode()


def create_spelling_check(resource: Resource) -> SpellingCheck:
    """Create the function that checks the lines of a resource, and their ids, for the canonical spelling."""
    datetime_fields = [
        (attrgetter(f"data.{column.name}"), column.presence == "optional")
        for column in resource.columns
        if column.type.name == "DATETIME"
    ]
    has_natural_id = resource.key is not None

    def read_columns(lines: Sequence[Any]) -> Iterator[list[str]]:
        for read_field, is_optional in datetime_fields:
            try:
                values = list(map(read_field, lines))
            except AttributeError:  # a delete has no data
                values = list(map(read_field, [line for line in lines if line.data is not None]))
            yield [value for value in values if type(value) is str] if is_optional else values

    def check(lines: Sequence[Any], ids: Sequence[str]) -> bool:
        if not (_are_natural_ids(ids) if has_natural_id else all_match_form(ids, UUID_FORM, HEX_DIGITS)):
            return False
        return all(map(are_utc_datetimes, read_columns(lines)))

    return check


def are_utc_datetimes(texts: Sequence[str]) -> bool:
    """Whether texts are date-times in UTC, with a fraction of six digits or with none."""
    if all_match_form(texts, DATETIME_FORM, DIGITS):  # most have no fraction
        return True
    with_fraction = [text for text in texts if len(text) != len(DATETIME_FORM)]
    without_fraction = [text for text in texts if len(text) == len(DATETIME_FORM)]
    return all_match_form(with_fraction, MICROSECOND_DATETIME_FORM, DIGITS) and all_match_form(
        without_fraction, DATETIME_FORM, DIGITS
    )


def all_match_form(texts: Sequence[str], form: str, characters: bytes) -> bool:
    """Whether all texts match a form, with some of the characters at each `#`."""
    count, length = len(texts), len(form)
    if {*map(len, texts)} - {length}:
        return False
    joined = "".join(texts).encode()
    literals = [(position, character.encode()) for position, character in enumerate(form) if character != "#"]
    return (
        len(joined) == count * length
        and all(joined[position::length] == character * count for position, character in literals)
        and len(joined.translate(None, characters)) == count * len(literals)
    )


def _are_natural_ids(ids: Sequence[str]) -> bool:
    if not all(ids) or "".join(ids).encode().translate(None, NATURAL_ID_CHARACTERS):
        return False
    return "." not in ids and ".." not in ids
