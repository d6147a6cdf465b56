"""Items of a collection, read from one table."""

import datetime
from collections.abc import Callable, Collection, Mapping
from typing import Any

import msgspec

from sluice.database import Database
from sluice.resource import Resource

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
    "DATETIME": lambda value: value.replace(tzinfo=datetime.UTC),
    "JSON": lambda text: msgspec.Raw(text.encode()),
}


def one(database: Database, resource: Resource, owner: str, item_id: str) -> StoredItem | None:
    """Return an item, or None when it never was or was deleted."""
    rows = database.query(f"{_select(resource)} AND id = %s", (owner, item_id))
    return of_row(resource, rows[0]) if rows else None


class Reached(msgspec.Struct):
    """That the replica has a version of an item or a later one; no item when it was deleted."""

    item: StoredItem | None


def reached(database: Database, resource: Resource, owner: str, item_id: str, version: str) -> Reached | None:
    """Return an item as it is at a version or later, or None while the replica has neither."""
    # The version is in the condition, not in a look before: the next statement may meet another server.
    rows = database.query(
        f"SELECT deleted, {listed(resource)} FROM `{resource.collection}` "  # noqa: S608  declared names
        "WHERE owner = %s AND id = %s AND version >= %s",
        (owner, item_id, version),
    )
    if not rows:
        return None
    return Reached(None if rows[0]["deleted"] else of_row(resource, rows[0]))


def listed(resource: Resource, fields: Collection[str] | None = None) -> str:
    """The columns to read for an item with these fields (all, when None)."""
    names = [column.name for column in resource.columns if fields is None or column.name in fields]
    return ", ".join(f"`{name}`" for name in ("id", "version", "written_at", *names))


def _select(resource: Resource) -> str:
    return f"SELECT {listed(resource)} FROM `{resource.collection}` WHERE owner = %s AND NOT deleted"  # noqa: S608


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
