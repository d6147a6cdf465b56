"""Cells of a CSV file: which kind of value a text is, and the JSON value that it becomes."""

import datetime
import json
import math
import re
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Literal

Kind = Literal["text", "int", "float", "decimal", "bool", "date", "datetime", "uuid", "json"]

# In a column of another kind than text, these say that there is no value. In texts only the empty cell does.
NULL_TEXTS = frozenset({"", "na", "n/a", "nan", "null", "none", "nil", "\\n", "-"})
_BOOLEANS = {"true": True, "false": False}
_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"-?(?=\.?[0-9])(0|[1-9][0-9]*)?(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2})(:[0-9]{2})?(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# MariaDB documents years from 1000 on, and UTC must not leave the last one.
_FIRST_YEAR, _LAST_YEAR = 1000, 9998
_MAX_NUMBER_CHARACTERS = 400


def is_null(text: str) -> bool:
    """Whether a cell of a column that does not hold texts has no value."""
    return len(text) < 20 and text.strip().lower() in NULL_TEXTS


def parse_integer(text: str) -> int | None:
    """The whole number of a text. A number with leading zeros is a code, not a number."""
    return int(text) if len(text) <= 66 and _INTEGER.fullmatch(text) and text != "-0" else None


def parse_number(text: str) -> Decimal | None:
    """The number of a text, exactly."""
    return Decimal(text) if _is_number(text) and math.isfinite(float(text)) else None


def _is_number(text: str) -> bool:
    return len(text) <= _MAX_NUMBER_CHARACTERS and _NUMBER.fullmatch(text) is not None


def parse_boolean(text: str) -> bool | None:
    """The truth value of `true` or `false`."""
    return _BOOLEANS.get(text.lower()) if len(text) < 6 else None


def parse_date(text: str) -> str | None:
    """The text of a date such as 2026-12-24, if there is such a day."""
    if not _DATE.fullmatch(text):
        return None
    try:
        date = datetime.date.fromisoformat(text)
    except ValueError:
        return None
    return text if _FIRST_YEAR <= date.year <= _LAST_YEAR else None


def parse_time(text: str, *, assume_utc: bool) -> str | None:
    """The text of a date-time in RFC 3339. Without a time zone it is in UTC, or None without `assume_utc`."""
    match = _TIME.fullmatch(text)
    if not match or not (match[5] or assume_utc):
        return None
    zone = match[5] or "Z"
    if zone != "Z" and ":" not in zone:
        zone = f"{zone[:3]}:{zone[3:]}"
    written = f"{match[1]}T{match[2]}{match[3] or ':00'}{match[4] or ''}{zone}"
    try:
        year = datetime.datetime.fromisoformat(written).year
    except ValueError:
        return None
    return written if _FIRST_YEAR < year <= _LAST_YEAR else None


def parse_uuid(text: str) -> str | None:
    """The text of a UUID in the form in which it is stored."""
    return text if _UUID.fullmatch(text) and str(uuid.UUID(text)) == text else None


class CellError(ValueError):
    """A cell that is not of the kind of its field. The message is for the person who owns the file."""


def _convert_to_integer(text: str) -> int | None:
    whole = parse_integer(text)
    if whole is not None:
        return whole
    number = parse_number(text)
    return int(number) if number is not None and number == number.to_integral_value() else None


def _convert_to_float(text: str) -> float | None:
    return float(text) if _is_number(text) and math.isfinite(float(text)) else None


def _convert_to_decimal_text(text: str) -> str | None:
    number = parse_number(text)
    return None if number is None else f"{number:f}"


def _parse_container(text: str) -> Any:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, list | dict) else None


_CONVERSIONS: dict[Kind, tuple[Callable[[str], Any], str]] = {
    "int": (_convert_to_integer, "a whole number"),
    "float": (_convert_to_float, "a number"),
    "decimal": (_convert_to_decimal_text, "a number"),
    "bool": (parse_boolean, "true or false"),
    "date": (parse_date, "a date such as 2026-12-24"),
    "uuid": (parse_uuid, "a UUID in lower case"),
    "json": (_parse_container, "a JSON list or object"),
}


def convert_cell(text: str, kind: Kind, *, assume_utc: bool = False) -> Any:
    """The JSON value of a cell. Raises CellError when it is not of this kind."""
    if kind == "text":
        return text
    if kind == "datetime":
        value, expected = parse_time(text.strip(), assume_utc=assume_utc), "a date-time with a time zone"
    else:
        convert, expected = _CONVERSIONS[kind]
        value = convert(text.strip())
    if value is None:
        raise CellError(f"Expected {expected}, not {text[:60]!r}")
    return value
