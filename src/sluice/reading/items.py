"""Items of a collection, read from one table."""

import datetime
from collections.abc import Callable, Collection, Mapping
from typing import Any

import msgspec

from sluice.database import Database
from sluice.resource import Resource
from sluice.states import Address, ItemState

Row = Mapping[str, Any]
Value = Callable[[Any], Any]


class StoredItem(msgspec.Struct):
    """An item as a GET answers it. `written_at` is when its latest write was accepted."""

    id: str
    version: str
    written_at: datetime.datetime
    data: dict[str, Any]


_VALUES: dict[str, Value] = {
    "BOOLEAN": bool,
    "DECIMAL": lambda value: f"{value:f}",  # never as 0E-10
    "DATETIME": lambda value: value.replace(tzinfo=datetime.UTC),
    "JSON": lambda text: msgspec.Raw(text.encode()),
}


def one(database: Database, address: Address, version: str = "", more: str = "") -> Row | None:
    """Return the row of an item as it is at a version or later, its tombstone too; None while there is none.

    `more` is an expression; its value comes along as `more`, of the same moment.
    """
    # The version is in the condition, not in a look before: the next statement may meet another server.
    rows = database.query(
        f"SELECT deleted, {f'({more}) AS more, ' if more else ''}{listed(address.resource)} "  # noqa: S608  declared names
        f"FROM `{address.resource.collection}` WHERE owner = %s AND id = %s AND version >= %s",
        (address.owner, address.id, version),
    )
    return rows[0] if rows else None


def state_of(resource: Resource, row: Row) -> ItemState:
    """The state of the item in a row that `one` returned."""
    body = None if row["deleted"] else msgspec.json.encode(of_row(resource, row))
    return ItemState(row["version"], _VALUES["DATETIME"](row["written_at"]), body)


def listed(resource: Resource, fields: Collection[str] | None = None) -> str:
    """The columns to read for an item with these fields (all, when None)."""
    names = [column.name for column in resource.columns if fields is None or column.name in fields]
    return ", ".join(f"`{name}`" for name in ("id", "version", "written_at", *names))


def of_row(resource: Resource, row: Row, fields: Collection[str] | None = None) -> StoredItem:
    """The item in a row, with these fields (all, when None)."""
    data: dict[str, Any] = {}
    if resource.key and (fields is None or resource.key in fields):
        data[resource.key] = row["id"]
    for column in resource.columns:
        if fields is not None and column.name not in fields:
            continue
        value = row[column.name]
        if value is not None:
            read = _VALUES.get(column.type.name)
            data[column.name] = read(value) if read else value
        elif column.presence == "default":
            # The row is older than the field.
            data[column.name] = msgspec.Raw(resource.default_text(column.name))
        else:
            data[column.name] = None
    return StoredItem(row["id"], row["version"], _VALUES["DATETIME"](row["written_at"]), data)
