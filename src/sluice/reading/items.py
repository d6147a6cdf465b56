"""Items of a collection, read from one table."""

import datetime
from collections.abc import Callable, Mapping
from functools import cache
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
    return _item(resource, rows[0]) if rows else None


def page(database: Database, resource: Resource, owner: str, after: str, limit: int) -> tuple[list[StoredItem], bool]:
    """Return up to `limit` items with ids above `after` (all, when empty), and whether there are more."""
    beyond = " AND id > %s" if after else ""
    rows = database.query(
        f"{_select(resource)}{beyond} ORDER BY id LIMIT %s", (owner, *([after] if after else []), limit + 1)
    )
    return [_item(resource, row) for row in rows[:limit]], len(rows) > limit


@cache
def _select(resource: Resource) -> str:
    names = ["id", "version", "written_at", *(column.name for column in resource.columns)]
    listed = ", ".join(f"`{name}`" for name in names)
    return f"SELECT {listed} FROM `{resource.collection}` WHERE owner = %s AND NOT deleted"  # noqa: S608  declared names


def _item(resource: Resource, row: Row) -> StoredItem:
    data: dict[str, Any] = {resource.key: row["id"]} if resource.key else {}
    for column in resource.columns:
        value = row[column.name]
        if value is not None:
            data[column.name] = _VALUES.get(column.type.name, _same)(value)
        elif column.presence == "default":
            # The row is older than the field.
            data[column.name] = msgspec.Raw(resource.default_text(column.name))
        else:
            data[column.name] = None
    return StoredItem(row["id"], row["version"], _VALUES["DATETIME"](row["written_at"]), data)


def _same(value: Any) -> Any:
    return value
