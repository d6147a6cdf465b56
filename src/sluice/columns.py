"""From a field's Python type to its MariaDB column."""

import datetime
import enum
import types
import uuid
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

Presence = Literal["required", "default", "optional"]

# MariaDB's limits of a DECIMAL.
MOST_DIGITS, MOST_BEHIND = 65, 38

# A longer text is stored off the row, so that many texts do not exceed InnoDB's row size.
LONGEST_VARCHAR = 512


@dataclass(frozen=True)
class Digits:
    """How many digits a Decimal keeps: `precision` in all, `scale` of them behind the point."""

    precision: int = 38
    scale: int = 10


@dataclass(frozen=True)
class ColumnType:
    """A MariaDB type. `length` counts characters; `precision` and `scale` count digits (DATETIME: fraction digits)."""

    name: str
    length: int | None = None
    precision: int | None = None
    scale: int | None = None

    @property
    def ddl(self) -> str:
        """The type as MariaDB's DDL has it, without character set."""
        numbers = [str(n) for n in (self.length, self.precision, self.scale) if n is not None]
        return f"{self.name}({','.join(numbers)})" if numbers else self.name


@dataclass(frozen=True)
class Column:
    """One typed column of a collection's table, named as its field.

    `presence` says what a write must bring: `required`, or it may be left out (`default`, `optional`).
    Every column is NULL in a tombstone, whatever its presence.
    """

    name: str
    type: ColumnType
    presence: Presence

    @property
    def required(self) -> bool:
        return self.presence == "required"


_SCALARS: dict[Any, ColumnType] = {
    bool: ColumnType("BOOLEAN"),
    int: ColumnType("BIGINT"),
    float: ColumnType("DOUBLE"),
    datetime.date: ColumnType("DATE"),
    datetime.datetime: ColumnType("DATETIME", precision=6),
    uuid.UUID: ColumnType("UUID"),
}


def peel(annotation: Any) -> tuple[Any, tuple[Any, ...], bool]:
    """Return the bare type, the metadata of its `Annotated`, and whether None is allowed.

    Raises TypeError for a union of anything but one type and None.
    """
    metadata: tuple[Any, ...] = ()
    optional = False
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            annotation, *found = get_args(annotation)
            metadata = (*found, *metadata)
        elif origin in (Union, types.UnionType):
            members = [member for member in get_args(annotation) if member is not types.NoneType]
            if len(members) != 1:
                raise TypeError("a union may only join one type with None")
            annotation, optional = members[0], True
        else:
            return annotation, metadata, optional


def column_type(annotation: Any) -> ColumnType:
    """Return the column type for a field's annotation. Raises TypeError for a type that no column can hold."""
    bare, metadata, _ = peel(annotation)
    if bare is datetime.datetime and any(isinstance(m, msgspec.Meta) and m.tz is False for m in metadata):
        raise TypeError("a date-time needs a time zone")
    if bare in _SCALARS:
        return _SCALARS[bare]
    if bare is str:
        return _text(next((m.max_length for m in metadata if isinstance(m, msgspec.Meta) and m.max_length), None))
    if bare is Decimal:
        return _decimal(next((m for m in metadata if isinstance(m, Digits)), Digits()))
    if get_origin(bare) is Literal:
        return _choice(get_args(bare))
    if isinstance(bare, type) and issubclass(bare, enum.Enum):
        return _choice([member.value for member in bare])
    container = get_origin(bare) or bare
    if isinstance(container, type) and issubclass(container, msgspec.Struct | Mapping | Sequence | Set):
        if issubclass(container, str | bytes | bytearray | memoryview):
            raise TypeError(f"{bare!r} has no column type")
        return ColumnType("JSON")
    raise TypeError(f"{bare!r} has no column type")


def _text(max_length: int | None) -> ColumnType:
    if max_length is None or max_length > LONGEST_VARCHAR:
        return ColumnType("MEDIUMTEXT")
    return ColumnType("VARCHAR", length=max_length)


def _decimal(digits: Digits) -> ColumnType:
    if not (1 <= digits.precision <= MOST_DIGITS and 0 <= digits.scale <= min(digits.precision, MOST_BEHIND)):
        raise TypeError(f"{digits} is not within {MOST_DIGITS} digits, {MOST_BEHIND} of them behind the point")
    return ColumnType("DECIMAL", precision=digits.precision, scale=digits.scale)


def _choice(values: Sequence[Any]) -> ColumnType:
    if not values:
        raise TypeError("an enumeration needs values")
    if all(type(value) is int for value in values):
        return ColumnType("BIGINT")
    if all(isinstance(value, str) for value in values):
        return ColumnType("VARCHAR", length=max(map(len, values)))
    raise TypeError("the values of an enumeration must be all text or all int")
