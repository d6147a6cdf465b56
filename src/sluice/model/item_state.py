"""An item as reads return it, made from a row of its table."""

import datetime
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

import msgspec

from sluice.model.resource import Resource

# The key of an item within its collection: owner, separator, id. Neither owner nor id can have a line end.
KEY_SEPARATOR = "\n"


def create_item_key(owner: str, item_id: str) -> str:
    """Create the key of an item within its collection."""
    return f"{owner}{KEY_SEPARATOR}{item_id}"


def split_item_key(key: str) -> tuple[str, str]:
    """Split the key of an item into owner and id."""
    owner, _, item_id = key.partition(KEY_SEPARATOR)
    return owner, item_id


class ItemAddress(NamedTuple):
    """Which item: of whom, in which collection. `owner` is empty in a shared one."""

    resource: Resource
    owner: str
    id: str


class ItemState(msgspec.Struct, frozen=True):
    """A version of an item: when its write was accepted, and the answer's body in JSON (None: it was deleted)."""

    version: str
    written_at: datetime.datetime
    body: bytes | None


Row = Mapping[str, Any]


ValueReader = Callable[[Any], Any]


class StoredItem(msgspec.Struct):
    """An item as a GET answers it. `written_at` is when its latest write was accepted."""

    id: str
    version: str
    written_at: datetime.datetime
    data: dict[str, Any]


_VALUE_READERS: dict[str, ValueReader] = {
    "BOOLEAN": bool,
    "DECIMAL": lambda value: f"{value:f}",  # never as 0E-10
    "DATETIME": lambda value: value.replace(tzinfo=datetime.UTC),
    "JSON": lambda text: msgspec.Raw(text.encode()),
}


def create_item_state(resource: Resource, row: Row) -> ItemState:
    """The state of the item in a row that `one` returned."""
    body = None if row["deleted"] else msgspec.json.encode(create_stored_item(resource, row))
    return ItemState(row["version"], _VALUE_READERS["DATETIME"](row["written_at"]), body)


def list_columns(resource: Resource, fields: Collection[str] | None = None) -> str:
    """The columns to read for an item with these fields (all, when None)."""
    names = [column.name for column in resource.columns if fields is None or column.name in fields]
    return ", ".join(f"`{name}`" for name in ("id", "version", "written_at", *names))


def create_stored_item(resource: Resource, row: Row, fields: Collection[str] | None = None) -> StoredItem:
    """The item in a row, with these fields (all, when None)."""
    data: dict[str, Any] = {}
    if resource.key and (fields is None or resource.key in fields):
        data[resource.key] = row["id"]
    for column in resource.columns:
        if fields is not None and column.name not in fields:
            continue
        value = row[column.name]
        if value is not None:
            read = _VALUE_READERS.get(column.type.name)
            data[column.name] = read(value) if read else value
        elif column.presence == "default":
            # The row is older than the field.
            data[column.name] = msgspec.Raw(resource.encode_default(column.name))
        else:
            data[column.name] = None
    return StoredItem(row["id"], row["version"], _VALUE_READERS["DATETIME"](row["written_at"]), data)
