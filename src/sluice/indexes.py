"""The indexes that an adopting team asks for. Whatever a list can be asked is answered from one of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from sluice.columns import Column, ColumnType

# What stands around the fields in each index: of one owner, what is there, and the id as the last to order by.
BEFORE, AFTER = ("owner", "deleted"), ("id",)

# What a list is asked besides fields.
PARAMETERS = frozenset({"limit", "after", "sort", "fields"})

LONGEST_NAME = 64  # characters
LARGEST_KEY = 3072  # bytes, InnoDB's limit
_AROUND_BYTES = 130 + 1 + 130
_BYTES = {"BOOLEAN": 1, "BIGINT": 8, "DOUBLE": 8, "DATE": 3, "DATETIME": 8, "UUID": 16, "DECIMAL": 30}


@dataclass(frozen=True)
class Index:
    """An index of a collection's table, by the fields that it is asked for."""

    fields: tuple[str, ...]

    @property
    def name(self) -> str:
        return "-".join(("by", *self.fields))

    @property
    def columns(self) -> tuple[str, ...]:
        return (*BEFORE, *self.fields, *AFTER)


def indexes_of(columns: Sequence[Column], asked: Sequence[str | Sequence[str]]) -> tuple[Index, ...]:
    """The indexes that are asked for, each as a field or as several. Raises TypeError with a sentence."""
    known = {column.name: column for column in columns}
    found = [Index((fields,) if isinstance(fields, str) else tuple(fields)) for fields in asked]
    for index in found:
        if fault := _fault(index, known):
            raise TypeError(f"the index {' and '.join(index.fields) or 'of nothing'} {fault}")
        if found.count(index) > 1:
            raise TypeError(f"the index {' and '.join(index.fields)} is asked for twice")
    return tuple(found)


def _fault(index: Index, known: dict[str, Column]) -> str | None:
    if not index.fields or len(set(index.fields)) < len(index.fields):
        return "needs fields, each of them once"
    if fault := next(filter(None, (_field_fault(field, known.get(field)) for field in index.fields)), None):
        return fault
    if len(index.name) > LONGEST_NAME:
        return f"has a name of more than {LONGEST_NAME} characters"
    if _AROUND_BYTES + sum(_bytes(known[field].type) for field in index.fields) > LARGEST_KEY:
        return f"has keys of more than {LARGEST_KEY} bytes: shorten its texts"
    return None


def _field_fault(field: str, column: Column | None) -> str | None:
    if column is None:
        return f"names {field}, which is no field besides the key"
    if field in PARAMETERS:
        return f"cannot have {field}, which is a parameter of every list"
    if column.type.name not in {*_BYTES, "VARCHAR"}:
        return f"cannot hold {field}, a {column.type.ddl}; a text needs a max_length of at most 512"
    if column.presence == "default":
        # A row that is older than the field holds no value. It is shown with the default, and not found by it.
        return f"would not find {field} in rows that are older than it: give it no default, or None"
    return None


def _bytes(type_: ColumnType) -> int:
    null = 1
    return null + _BYTES.get(type_.name, 2 + 4 * (type_.length or 0))
