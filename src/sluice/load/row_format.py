"""The text of a row for LOAD DATA, and the canonical spelling of ids and date-times."""

import re
import string
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import Any

from msgspec import Raw

from sluice.model.resource import Resource

# The system columns in a row's text: the version is first, so that the greater of two texts is the later row.
SYSTEM_COLUMNS = ("version", "owner", "id", "written_at", "deleted")


VERSION_LENGTH = 26


KEY_SEPARATOR = "\n"


def extract_version(text: bytes) -> str:
    """The version in a row's text."""
    return text[2 : 2 + VERSION_LENGTH].decode()


LOAD_DATA_FORMAT = (
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


def replace_json_escapes(row: bytes) -> bytes:
    """The same row with the escapes that only JSON knows replaced by the characters.

    A NUL, a quote and a backslash keep an escape.
    """
    return _ESCAPE.sub(_unescape_character, row)


def _unescape_character(escape: re.Match[bytes]) -> bytes:
    name = escape[1]
    if name[:1] != b"u" or len(name) == 1:
        return _ONLY_JSON.get(name, escape[0])
    character = chr(int(name[1:], 16)).encode("utf-8", "surrogatepass")
    return _STILL_ESCAPED.get(character, character)


SpellingCheck = Callable[[Sequence[Any], Sequence[str]], bool]


# The other characters of a form stand where they are; # is one of those that are given with it.
UUID_FORM, HEX_DIGITS = "########-####-####-####-############", b"0123456789abcdef"


DATETIME_FORM, MICROSECOND_DATETIME_FORM, DIGITS = (
    "####-##-##T##:##:##Z",
    "####-##-##T##:##:##.######Z",
    string.digits.encode(),
)


NATURAL_ID_CHARACTERS = (string.ascii_letters + string.digits + "._~-").encode()


def create_spelling_check(resource: Resource) -> SpellingCheck:
    """Make the function that says whether lines of a resource, and their ids, are spelled so."""
    moments = [
        (attrgetter(f"data.{column.name}"), column.presence == "optional")
        for column in resource.columns
        if column.type.name == "DATETIME"
    ]
    natural = resource.key is not None

    def columns(lines: Sequence[Any]) -> Iterator[list[str]]:
        for value, optional in moments:
            try:
                values = list(map(value, lines))
            except AttributeError:  # a delete has no data
                values = list(map(value, [line for line in lines if line.data is not None]))
            yield [one for one in values if type(one) is str] if optional else values

    def check(lines: Sequence[Any], ids: Sequence[str]) -> bool:
        if not (_are_natural(ids) if natural else all_match_form(ids, UUID_FORM, HEX_DIGITS)):
            return False
        return all(map(are_utc_datetimes, columns(lines)))

    return check


def are_utc_datetimes(texts: Sequence[str]) -> bool:
    """Whether texts are date-times in UTC, with six digits of the second's fraction or with none."""
    if all_match_form(texts, DATETIME_FORM, DIGITS):  # most have none
        return True
    fine = [text for text in texts if len(text) != len(DATETIME_FORM)]
    return all_match_form(fine, MICROSECOND_DATETIME_FORM, DIGITS) and all_match_form(
        [text for text in texts if len(text) == len(DATETIME_FORM)], DATETIME_FORM, DIGITS
    )


def all_match_form(texts: Sequence[str], form: str, others: bytes) -> bool:
    """Whether all texts have a form, with some of the other characters where it has #."""
    count, length = len(texts), len(form)
    if {*map(len, texts)} - {length}:
        return False
    joined = "".join(texts).encode()
    own = [(place, character.encode()) for place, character in enumerate(form) if character != "#"]
    return (
        len(joined) == count * length
        and all(joined[place::length] == character * count for place, character in own)
        and len(joined.translate(None, others)) == count * len(own)
    )


def _are_natural(ids: Sequence[str]) -> bool:
    if not all(ids) or "".join(ids).encode().translate(None, NATURAL_ID_CHARACTERS):
        return False
    return "." not in ids and ".." not in ids
