"""Values of columns as texts, in a query and in a position, and as the parameters of a statement."""

import datetime
import math
import re
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from sluice.columns import MOST_BEHIND, MOST_DIGITS, ColumnType

_WHOLE = re.compile(r"-?[0-9]{1,19}")
_FLOAT = re.compile(r"-?[0-9]{1,400}(\.[0-9]{1,400})?([eE][+-]?[0-9]{1,3})?")
_DECIMAL = re.compile(rf"-?([0-9]{{1,{MOST_DIGITS}}})(?:\.([0-9]{{1,{MOST_BEHIND}}}))?")
_INT64 = 2**63

Moment = Annotated[datetime.datetime, Meta(tz=True)]


def value_of(type_: ColumnType, text: str) -> Any:
    """The value that a text stands for, as the driver takes it. Raises ValueError with a sentence."""
    return _READ[type_.name](text)


def text_of(type_: ColumnType, value: Any) -> str:
    """The text for a value as the driver gives it, so that `value_of` leads back to it."""
    match type_.name:
        case "BOOLEAN":
            return "true" if value else "false"
        case "DATETIME":
            return f"{value.isoformat()}Z"
    return str(value)


def _bool(text: str) -> int:
    if text not in ("true", "false"):
        raise ValueError("Expected true or false")
    return int(text == "true")


def _int(text: str) -> int:
    value = int(text) if _WHOLE.fullmatch(text) else _INT64
    if not -_INT64 <= value < _INT64:
        raise ValueError("Expected a whole number of 64 bits")
    return value


def _float(text: str) -> float:
    value = float(text) if _FLOAT.fullmatch(text) else math.inf
    if not math.isfinite(value):
        raise ValueError("Expected a number")
    return value


def _decimal(text: str) -> Decimal:
    found = _DECIMAL.fullmatch(text)
    if not found or len(found[1] + (found[2] or "")) > MOST_DIGITS:
        raise ValueError(f"Expected a decimal number, with at most {MOST_BEHIND} digits behind the point")
    return Decimal(text)


def _date(text: str) -> datetime.date:
    try:
        return msgspec.convert(text, datetime.date)
    except msgspec.ValidationError:
        raise ValueError("Expected a date such as 2026-12-24") from None


def _moment(text: str) -> datetime.datetime:
    try:
        value = msgspec.convert(text, Moment)
        return value.astimezone(datetime.UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        raise ValueError(
            "Expected a date-time with a zone, such as 2026-12-24T09:30:00Z (a + is sent as %2B)"
        ) from None


def _uuid(text: str) -> str:
    try:
        return str(msgspec.convert(text, uuid.UUID))
    except msgspec.ValidationError:
        raise ValueError("Expected a UUID") from None


def _text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("Expected characters, not half of one") from None
    return text


_READ: dict[str, Callable[[str], Any]] = {
    "BOOLEAN": _bool,
    "BIGINT": _int,
    "DOUBLE": _float,
    "DECIMAL": _decimal,
    "DATE": _date,
    "DATETIME": _moment,
    "UUID": _uuid,
    "VARCHAR": _text,
}
