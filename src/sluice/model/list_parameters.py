"""The query parameters of a list: their names, and how to parse and format their values."""

import datetime
import math
import re
import uuid
from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import cache
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from sluice.model.columns import LIST_PARAMETERS, MAX_DECIMAL_DIGITS, MAX_DECIMAL_SCALE, ColumnType
from sluice.model.resource import Resource

# The suffixes of range parameters, with their SQL operators.
OPERATORS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}

ZonedDateTime = Annotated[datetime.datetime, Meta(tz=True)]

_INTEGER = re.compile(r"-?[0-9]{1,19}")
_FLOAT = re.compile(r"-?[0-9]{1,400}(\.[0-9]{1,400})?([eE][+-]?[0-9]{1,3})?")
_DECIMAL = re.compile(rf"-?([0-9]{{1,{MAX_DECIMAL_DIGITS}}})(?:\.([0-9]{{1,{MAX_DECIMAL_SCALE}}}))?")
_INT64 = 2**63


@cache
def filter_parameter_names(resource: Resource) -> frozenset[str]:
    """Return the parameters that filter by an indexed field: by equality (`field`) or by range (`field.gte`)."""
    fields = {field for index in resource.indexes for field in index.fields}
    return frozenset((*fields, *(f"{field}.{operator}" for field in fields for operator in OPERATORS)))


def list_parameter_names(resources: Iterable[Resource]) -> set[str]:
    """Return every parameter that a list of one of these resources accepts."""
    return {*LIST_PARAMETERS, *(name for resource in resources for name in filter_parameter_names(resource))}


def parse_value(column_type: ColumnType, text: str) -> Any:
    """Parse a parameter into the value that the database driver takes. Raises ValueError with a sentence."""
    return _PARSERS[column_type.name](text)


def format_value(column_type: ColumnType, value: Any) -> str:
    """Format a value of the database driver so that `parse_value` returns it again."""
    match column_type.name:
        case "BOOLEAN":
            return "true" if value else "false"
        case "DATETIME":
            return f"{value.isoformat()}Z"
    return str(value)


def _parse_bool(text: str) -> int:
    if text not in ("true", "false"):
        raise ValueError("Expected true or false")
    return int(text == "true")


def _parse_int(text: str) -> int:
    value = int(text) if _INTEGER.fullmatch(text) else _INT64
    if not -_INT64 <= value < _INT64:
        raise ValueError("Expected a whole number of 64 bits")
    return value


def _parse_float(text: str) -> float:
    value = float(text) if _FLOAT.fullmatch(text) else math.inf
    if not math.isfinite(value):
        raise ValueError("Expected a number")
    return value


def _parse_decimal(text: str) -> Decimal:
    match = _DECIMAL.fullmatch(text)
    if not match or len(match[1] + (match[2] or "")) > MAX_DECIMAL_DIGITS:
        raise ValueError(f"Expected a decimal number, with at most {MAX_DECIMAL_SCALE} digits after the decimal point")
    return Decimal(text)


def _parse_date(text: str) -> datetime.date:
    try:
        return msgspec.convert(text, datetime.date)
    except msgspec.ValidationError:
        raise ValueError("Expected a date such as 2026-12-24") from None


def _parse_datetime(text: str) -> datetime.datetime:
    try:
        value = msgspec.convert(text, ZonedDateTime)
        return value.astimezone(datetime.UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        raise ValueError(
            "Expected a date-time with a time zone, such as 2026-12-24T09:30:00Z (encode a + as %2B)"
        ) from None


def _parse_uuid(text: str) -> str:
    try:
        return str(msgspec.convert(text, uuid.UUID))
    except msgspec.ValidationError:
        raise ValueError("Expected a UUID") from None


def _parse_text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("Expected whole characters, not half of a surrogate pair") from None
    return text


_PARSERS: dict[str, Callable[[str], Any]] = {
    "BOOLEAN": _parse_bool,
    "BIGINT": _parse_int,
    "DOUBLE": _parse_float,
    "DECIMAL": _parse_decimal,
    "DATE": _parse_date,
    "DATETIME": _parse_datetime,
    "UUID": _parse_uuid,
    "VARCHAR": _parse_text,
}
