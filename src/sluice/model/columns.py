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

# InnoDB stores longer texts outside the row, so that many texts do not exceed its row size.
MAX_VARCHAR_CHARACTERS = 512

# Every index begins and ends with these columns: the owner's existing items, finally ordered by id.
LEADING_COLUMNS, TRAILING_COLUMNS = ("owner", "deleted"), ("id",)

# The query parameters of every list; the others name fields.
LIST_PARAMETERS = frozenset({"limit", "after", "sort", "fields"})

MAX_INDEX_NAME_CHARACTERS = 64
MAX_INDEX_KEY_BYTES = 3072  # InnoDB's limit
_SURROUNDING_KEY_BYTES = 130 + 1 + 130  # of the leading and trailing columns
_KEY_BYTES = {"BOOLEAN": 1, "BIGINT": 8, "DOUBLE": 8, "DATE": 3, "DATETIME": 8, "UUID": 16, "DECIMAL": 30}


@dataclass(frozen=True)
class Digits:
    """How many digits a Decimal has: `precision` in total, `scale` of them after the decimal point."""

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
        """The type as MariaDB's DDL spells it, without a character set."""
        numbers = [str(n) for n in (self.length, self.precision, self.scale) if n is not None]
        return f"{self.name}({','.join(numbers)})" if numbers else self.name


@dataclass(frozen=True)
class Column:
    """One typed column of a collection's table. It has the name of its field.

    `presence` says whether a write must contain the field (`required`) or may omit it (`default`, `optional`).
    In a tombstone, every column is NULL.
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

    Raises TypeError for any union except of one type with None.
    """
    metadata: tuple[Any, ...] = ()
    optional = False
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            annotation, *outer = get_args(annotation)
            metadata = (*outer, *metadata)
        elif origin in (Union, types.UnionType):
            members = [member for member in get_args(annotation) if member is not types.NoneType]
            if len(members) != 1:
                raise TypeError("a union may only join one type with None")
            annotation, optional = members[0], True
        else:
            return annotation, metadata, optional


def derive_column_type(annotation: Any) -> ColumnType:
    """Return the column type of a field's annotation. Raises TypeError if no column can store the type."""
    bare, metadata, _ = unwrap_annotation(annotation)
    if bare is datetime.datetime and any(isinstance(meta, msgspec.Meta) and meta.tz is False for meta in metadata):
        raise TypeError("a date-time needs a time zone")
    if bare in _SCALARS:
        return _SCALARS[bare]
    if bare is str:
        lengths = (meta.max_length for meta in metadata if isinstance(meta, msgspec.Meta) and meta.max_length)
        return _text_type(next(lengths, None))
    if bare is Decimal:
        return _decimal_type(next((digits for digits in metadata if isinstance(digits, Digits)), Digits()))
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
    max_scale = min(digits.precision, MAX_DECIMAL_SCALE)
    if not (1 <= digits.precision <= MAX_DECIMAL_DIGITS and 0 <= digits.scale <= max_scale):
        raise TypeError(
            f"{digits} exceeds {MAX_DECIMAL_DIGITS} digits, {MAX_DECIMAL_SCALE} of them after the decimal point"
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


def count_decimal_digits(column_type: ColumnType) -> tuple[int, int]:
    """Return how many digits a decimal column has before and after the decimal point."""
    return (column_type.precision or 0) - (column_type.scale or 0), column_type.scale or 0


def create_decimal_pattern(column_type: ColumnType) -> str:
    """Create the pattern of a decimal column's texts, for the OpenAPI document and for validation."""
    before, after = count_decimal_digits(column_type)
    integer = f"[0-9]{{1,{before}}}" if before else "0"
    return f"^-?{integer}(\\.[0-9]{{1,{after}}})?$" if after else f"^-?{integer}$"


def describe_decimal(column_type: ColumnType) -> str:
    """Describe the decimals that a column can store, as an error message."""
    before, after = count_decimal_digits(column_type)
    return f"Expected a decimal number with at most {before} digits before and {after} after the decimal point"


@dataclass(frozen=True)
class Index:
    """An index of a collection's table. `fields` are those that the resource declares."""

    fields: tuple[str, ...]

    @property
    def name(self) -> str:
        return "-".join(("by", *self.fields))

    @property
    def columns(self) -> tuple[str, ...]:
        return (*LEADING_COLUMNS, *self.fields, *TRAILING_COLUMNS)


def create_indexes(columns: Sequence[Column], index_fields: Sequence[str | Sequence[str]]) -> tuple[Index, ...]:
    """Create the declared indexes, each on one field or several. Raises TypeError if the table cannot have one."""
    columns_by_name = {column.name: column for column in columns}
    indexes = [Index((fields,) if isinstance(fields, str) else tuple(fields)) for fields in index_fields]
    for index in indexes:
        if fault := _describe_invalid_index(index, columns_by_name):
            raise TypeError(f"the index {' and '.join(index.fields) or 'of nothing'} {fault}")
        if indexes.count(index) > 1:
            raise TypeError(f"the index {' and '.join(index.fields)} is declared twice")
    return tuple(indexes)


def _describe_invalid_index(index: Index, columns: Mapping[str, Column]) -> str | None:
    if not index.fields or len(set(index.fields)) < len(index.fields):
        return "needs fields, each of them once"
    for field in index.fields:
        if fault := _describe_invalid_field(field, columns.get(field)):
            return fault
    if len(index.name) > MAX_INDEX_NAME_CHARACTERS:
        return f"has a name of more than {MAX_INDEX_NAME_CHARACTERS} characters"
    field_bytes = sum(_max_key_bytes(columns[field].type) for field in index.fields)
    if _SURROUNDING_KEY_BYTES + field_bytes > MAX_INDEX_KEY_BYTES:
        return f"has keys of more than {MAX_INDEX_KEY_BYTES} bytes: shorten its texts"
    return None


def _describe_invalid_field(field: str, column: Column | None) -> str | None:
    if column is None:
        return f"names {field}, which is not a field besides the key"
    if field in LIST_PARAMETERS:
        return f"cannot have {field}, which is a parameter of every list"
    if column.type.name not in {*_KEY_BYTES, "VARCHAR"}:
        return f"cannot hold {field}, a {column.type.ddl}; a text needs a max_length of at most 512"
    if column.presence == "default":
        # Rows older than the field have NULL there: reads show them with the default, but the index does not find them.
        return f"would not find {field} in rows that are older than it: remove its default, or make it None"
    return None


def _max_key_bytes(column_type: ColumnType) -> int:
    null_flag = 1
    return null_flag + _KEY_BYTES.get(column_type.name, 2 + 4 * (column_type.length or 0))
