"""The rows of items: the columns that a read selects, and the items in its rows.

The first column has four values in one text, separated by blanks: the moment of the state that the statement shows, the
item's version, whether it is deleted, and when its write was accepted. The driver needs longer for the description of
a column than for its value, and every result describes its columns.
"""

import datetime
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from sluice.db.moment import MOMENT_COLUMN
from sluice.model.item_state import ItemState, StoredItem
from sluice.model.resource import Resource

Row = Mapping[str, Any]
ValueReader = Callable[[Any], Any]

_VALUE_READERS: dict[str, ValueReader] = {
    "BOOLEAN": bool,
    "DECIMAL": lambda value: f"{value:f}",  # never as 0E-10
    "DATETIME": lambda value: value.replace(tzinfo=datetime.UTC),
    "JSON": lambda text: msgspec.Raw(text.encode()),
}


class RowHead(NamedTuple):
    """What the first column says about an item."""

    version: str
    is_deleted: bool
    written_at: datetime.datetime


def list_columns(resource: Resource, moment: str, fields: Collection[str] | None = None, table: str = "") -> str:
    """List the columns to select for items with these fields (None: all), separated by commas.

    `moment` is an expression of SQL that is not NULL. `table` is what stands before each name: an alias with a dot, in
    a statement with several tables. Without the item's id, which a statement for several items selects too.
    """
    names = [column.name for column in resource.columns if fields is None or column.name in fields]
    head = f"CONCAT_WS(' ', {moment}, {table}version, {table}deleted, {table}written_at) AS {MOMENT_COLUMN}"
    return ", ".join((head, *(f"{table}`{name}`" for name in names)))


def has_item(row: Row) -> bool:
    """Whether the row has an item, and not the moment alone."""
    return " " in row[MOMENT_COLUMN]


def read_head(row: Row) -> RowHead:
    """Read the first column of a row that has an item."""
    _, version, deleted, written_at = row[MOMENT_COLUMN].split(" ", 3)
    return RowHead(version, deleted == "1", datetime.datetime.fromisoformat(f"{written_at}+00:00"))


def create_item_state(resource: Resource, item_id: str, row: Row) -> ItemState:
    """Create the state of an item from a row with all fields."""
    head = read_head(row)
    if head.is_deleted:
        return ItemState(head.version, head.written_at, None)
    [item] = create_stored_items(resource, [(item_id, head, row)])
    return ItemState(head.version, head.written_at, msgspec.json.encode(item))


def create_stored_items(
    resource: Resource, rows: Iterable[tuple[str, RowHead, Row]], fields: Collection[str] | None = None
) -> list[StoredItem]:
    """Create items with these fields (None: all) from their ids, heads and rows."""
    key = resource.key if fields is None or resource.key in fields else None
    columns = [
        (column.name, _VALUE_READERS.get(column.type.name), column.presence == "default")
        for column in resource.columns
        if fields is None or column.name in fields
    ]
    items = []
    for item_id, head, row in rows:
        data: dict[str, Any] = {key: item_id} if key else {}
        for name, read_value, has_default in columns:
            value = row[name]
            if value is not None:
                data[name] = read_value(value) if read_value else value
            elif has_default:
                # The row was written before the field existed.
                data[name] = msgspec.Raw(resource.encode_default(name))
            else:
                data[name] = None
        items.append(StoredItem(item_id, head.version, head.written_at, data))
    return items
