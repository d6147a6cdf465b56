"""The columns and indexes of a collection's table, derived from the fields of its class."""

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
MAX_DECIMAL_DIGITS, MAX_DECIMAL_SCALE = 65, 38


# A longer text is stored off the row, so that many texts do not exceed InnoDB's row size.
MAX_VARCHAR_CHARACTERS = 512


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
    def is_required(self) -> bool:
        return self.presence == "required"


_SCALARS: dict[Any, ColumnType] = {
    bool: ColumnType("BOOLEAN"),
    int: ColumnType("BIGINT"),
    float: ColumnType("DOUBLE"),
    datetime.date: ColumnType("DATE"),
    datetime.datetime: ColumnType("DATETIME", precision=6),
    uuid.UUID: ColumnType("UUID"),
}


def unwrap_annotation(annotation: Any) -> tuple[Any, tuple[Any, ...], bool]:
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


def derive_column_type(annotation: Any) -> ColumnType:
    """Return the column type for a field's annotation. Raises TypeError for a type that no column can hold."""
    bare, metadata, _ = unwrap_annotation(annotation)
    if bare is datetime.datetime and any(isinstance(m, msgspec.Meta) and m.tz is False for m in metadata):
        raise TypeError("a date-time needs a time zone")
    if bare in _SCALARS:
        return _SCALARS[bare]
    if bare is str:
        return _text_type(next((m.max_length for m in metadata if isinstance(m, msgspec.Meta) and m.max_length), None))
    if bare is Decimal:
        return _decimal_type(next((m for m in metadata if isinstance(m, Digits)), Digits()))
    if get_origin(bare) is Literal:
        return _enumeration_type(get_args(bare))
    if isinstance(bare, type) and issubclass(bare, enum.Enum):
        return _enumeration_type([member.value for member in bare])
    container = get_origin(bare) or bare
    if isinstance(container, type) and issubclass(container, msgspec.Struct | Mapping | Sequence | Set):
        if issubclass(container, str | bytes | bytearray | memoryview):
            raise TypeError(f"{bare!r} has no column type")
        return ColumnType("JSON")
    raise TypeError(f"{bare!r} has no column type")


def _text_type(max_length: int | None) -> ColumnType:
    if max_length is None or max_length > MAX_VARCHAR_CHARACTERS:
        return ColumnType("MEDIUMTEXT")
    return ColumnType("VARCHAR", length=max_length)


def _decimal_type(digits: Digits) -> ColumnType:
    if not (
        1 <= digits.precision <= MAX_DECIMAL_DIGITS and 0 <= digits.scale <= min(digits.precision, MAX_DECIMAL_SCALE)
    ):
        raise TypeError(
            f"{digits} is not within {MAX_DECIMAL_DIGITS} digits, {MAX_DECIMAL_SCALE} of them behind the point"
        )
    return ColumnType("DECIMAL", precision=digits.precision, scale=digits.scale)


def _enumeration_type(values: Sequence[Any]) -> ColumnType:
    if not values:
        raise TypeError("an enumeration needs values")
    if all(type(value) is int for value in values):
        return ColumnType("BIGINT")
    if all(isinstance(value, str) for value in values):
        return ColumnType("VARCHAR", length=max(map(len, values)))
    raise TypeError("the values of an enumeration must be all text or all int")


def count_decimal_digits(type_: ColumnType) -> tuple[int, int]:
    """How many digits a decimal column has before and behind the point."""
    return (type_.precision or 0) - (type_.scale or 0), type_.scale or 0


def create_decimal_pattern(type_: ColumnType) -> str:
    """The pattern of the texts that are a decimal for a column, as the contract has it."""
    before, behind = count_decimal_digits(type_)
    whole = f"[0-9]{{1,{before}}}" if before else "0"
    return f"^-?{whole}(\\.[0-9]{{1,{behind}}})?$" if behind else f"^-?{whole}$"


def describe_decimal(type_: ColumnType) -> str:
    """What is said of a text or number that is none."""
    before, behind = count_decimal_digits(type_)
    return f"Expected a decimal number with at most {before} digits before and {behind} behind the point"


# What stands around the fields in each index: of one owner, what is there, and the id as the last to order by.
LEADING_COLUMNS, TRAILING_COLUMNS = ("owner", "deleted"), ("id",)


# What a list is asked besides fields.
LIST_PARAMETERS = frozenset({"limit", "after", "sort", "fields"})


MAX_INDEX_NAME_CHARACTERS = 64  # characters


MAX_INDEX_KEY_BYTES = 3072  # bytes, InnoDB's limit


_SURROUNDING_KEY_BYTES = 130 + 1 + 130


_KEY_BYTES = {"BOOLEAN": 1, "BIGINT": 8, "DOUBLE": 8, "DATE": 3, "DATETIME": 8, "UUID": 16, "DECIMAL": 30}


@dataclass(frozen=True)
class Index:
    """An index of a collection's table, by the fields that it is asked for."""

    fields: tuple[str, ...]

    @property
    def name(self) -> str:
        return "-".join(("by", *self.fields))

    @property
    def columns(self) -> tuple[str, ...]:
        return (*LEADING_COLUMNS, *self.fields, *TRAILING_COLUMNS)


def create_indexes(columns: Sequence[Column], index_fields: Sequence[str | Sequence[str]]) -> tuple[Index, ...]:
    """The indexes that are asked for, each as a field or as several. Raises TypeError with a sentence."""
    known = {column.name: column for column in columns}
    found = [Index((fields,) if isinstance(fields, str) else tuple(fields)) for fields in index_fields]
    for index in found:
        if fault := _describe_invalid_index(index, known):
            raise TypeError(f"the index {' and '.join(index.fields) or 'of nothing'} {fault}")
        if found.count(index) > 1:
            raise TypeError(f"the index {' and '.join(index.fields)} is asked for twice")
    return tuple(found)


def _describe_invalid_index(index: Index, known: dict[str, Column]) -> str | None:
    if not index.fields or len(set(index.fields)) < len(index.fields):
        return "needs fields, each of them once"
    if fault := next(filter(None, (_describe_invalid_field(field, known.get(field)) for field in index.fields)), None):
        return fault
    if len(index.name) > MAX_INDEX_NAME_CHARACTERS:
        return f"has a name of more than {MAX_INDEX_NAME_CHARACTERS} characters"
    if _SURROUNDING_KEY_BYTES + sum(_max_key_bytes(known[field].type) for field in index.fields) > MAX_INDEX_KEY_BYTES:
        return f"has keys of more than {MAX_INDEX_KEY_BYTES} bytes: shorten its texts"
    return None


def _describe_invalid_field(field: str, column: Column | None) -> str | None:
    if column is None:
        return f"names {field}, which is no field besides the key"
    if field in LIST_PARAMETERS:
        return f"cannot have {field}, which is a parameter of every list"
    if column.type.name not in {*_KEY_BYTES, "VARCHAR"}:
        return f"cannot hold {field}, a {column.type.ddl}; a text needs a max_length of at most 512"
    if column.presence == "default":
        # A row that is older than the field holds no value. It is shown with the default, and not found by it.
        return f"would not find {field} in rows that are older than it: give it no default, or None"
    return None


def _max_key_bytes(type_: ColumnType) -> int:
    null = 1
    return null + _KEY_BYTES.get(type_.name, 2 + 4 * (type_.length or 0))
