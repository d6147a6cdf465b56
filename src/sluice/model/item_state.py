"""The state of an item as reads return it, created from a row of its table."""

import datetime
from collections.abc import Callable, Collection, Iterable, Mapping
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


Row = Mapping[str, Any]
ValueReader = Callable[[Any], Any]


class ItemAddress(NamedTuple):
    """Addresses one item. `owner` is empty in a shared collection."""

    resource: Resource
    owner: str
    id: str


class ItemState(msgspec.Struct, frozen=True):
    """One version of an item. `written_at` is when its write was accepted; `body` is the JSON of the response (None:
    the item is deleted)."""

    version: str
    written_at: datetime.datetime
    body: bytes | None


class StoredItem(msgspec.Struct):
    """An item as a GET returns it. `written_at` is when its latest write was accepted."""

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


def list_columns(resource: Resource, fields: Collection[str] | None = None, table: str = "") -> str:
    """List the columns to select for an item with these fields (None: all), separated by commas.

    `table` is what stands before each name: an alias with a dot, in a statement with several tables.
    """
    names = [column.name for column in resource.columns if fields is None or column.name in fields]
    return ", ".join(f"{table}`{name}`" for name in ("id", "version", "written_at", *names))


def create_item_state(resource: Resource, row: Row) -> ItemState:
    """Create the state of an item from a row with all columns and `deleted`."""
    body = None if row["deleted"] else msgspec.json.encode(create_stored_item(resource, row))
    return ItemState(row["version"], _VALUE_READERS["DATETIME"](row["written_at"]), body)


def create_stored_item(resource: Resource, row: Row) -> StoredItem:
    """Create an item with all fields from a row."""
    [item] = create_stored_items(resource, [row])
    return item


def create_stored_items(
    resource: Resource, rows: Iterable[Row], fields: Collection[str] | None = None
) -> list[StoredItem]:
    """Create items with these fields (None: all) from rows."""
    key = resource.key if fields is None or resource.key in fields else None
    columns = [
        (column.name, _VALUE_READERS.get(column.type.name), column.presence == "default")
        for column in resource.columns
        if fields is None or column.name in fields
    ]
    read_datetime = _VALUE_READERS["DATETIME"]
    items = []
    for row in rows:
        data: dict[str, Any] = {key: row["id"]} if key else {}
        for name, read_value, has_default in columns:
            value = row[name]
            if value is not None:
                data[name] = read_value(value) if read_value else value
            elif has_default:
                # The row was written before the field existed.
                data[name] = msgspec.Raw(resource.encode_default(name))
            else:
                data[name] = None
        items.append(StoredItem(row["id"], row["version"], read_datetime(row["written_at"]), data))
    return items
