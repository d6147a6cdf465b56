"""The address of an item, and its state as reads return it."""

import datetime
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
