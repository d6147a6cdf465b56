"""The entries of the cache, and the epoch in which they are valid.

A row of `marks` names the epoch and counts the loads in it. Each load locks the row and increases the count as its
last statement before the commit. So the count has the order of the commits, and every state that a replica shows
belongs to one count. A load that cannot invalidate its items in the cache starts a new epoch instead: readers ignore
every entry of an earlier epoch.

Keys and entries contain the owner and the id of the item, so an entry under a wrong key is never served.
"""

import datetime
import hashlib
import secrets
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from pymysql.connections import Connection

from sluice.model.item_state import ItemAddress, ItemState, split_item_key
from sluice.model.resource import Resource

_NAME = "cache"
_NAME_LENGTH, _COUNT_LENGTH = 16, 10

# Increase this number when the form of an entry, or the response for the same row, changes.
_FORMAT = 2
_SEPARATOR = "\n"  # the API accepts no collection, owner or id with a line break

# Selects the row as one text. As a subquery of the statement that reads an item, it sees the same moment as the item.
SELECT_EPOCH = f"SELECT version FROM marks WHERE name = '{_NAME}'"  # noqa: S608
_COUNT_LOAD = (
    f"INSERT INTO marks (name, version) VALUES ('{_NAME}', %s) ON DUPLICATE KEY UPDATE version = "  # noqa: S608
    f"CONCAT(LEFT(version, {_NAME_LENGTH}), LPAD(CAST(RIGHT(version, {_COUNT_LENGTH}) AS UNSIGNED) + 1, "
    f"{_COUNT_LENGTH}, '0')) RETURNING version"
)
_START_EPOCH = f"UPDATE marks SET version = %s WHERE name = '{_NAME}'"  # noqa: S608
_DELETE_EPOCH = f"DELETE FROM marks WHERE name = '{_NAME}'"  # noqa: S608


class Epoch(NamedTuple):
    """The name of an epoch, and its count of loads as a text of fixed length: the later of two is the greater one."""

    name: str
    load_count: str


def parse_epoch(text: str) -> Epoch:
    """Parse the row's value."""
    return Epoch(text[:_NAME_LENGTH], text[_NAME_LENGTH:])


def create_epoch_value() -> str:
    """Create the row's value for a new epoch with a random name and no loads."""
    return secrets.token_hex(_NAME_LENGTH // 2) + "0" * _COUNT_LENGTH


class EpochRow:
    """The row, as a load changes it within its transaction. The methods raise pymysql's errors."""

    def __init__(self, connection: "Connection[Any]") -> None:
        self._connection = connection

    def count_load(self) -> Epoch:
        """Count this load. The row stays locked until this transaction ends."""
        with self._connection.cursor() as cursor:
            cursor.execute(_COUNT_LOAD, (create_epoch_value(),))
            row: Any = cursor.fetchone()
        return parse_epoch(row[0])

    def start_new_epoch(self) -> None:
        """Replace the epoch by a new one."""
        with self._connection.cursor() as cursor:
            cursor.execute(_START_EPOCH, (create_epoch_value(),))

    def delete_epoch(self) -> None:
        """Delete the epoch: readers use no cache until a load starts an epoch."""
        with self._connection.cursor() as cursor:
            cursor.execute(_DELETE_EPOCH)


def load_count_key(epoch: str) -> str:
    """Return the key of an epoch's greatest load count. Without this key, readers store nothing until a load."""
    return f"{epoch}{_SEPARATOR}loads"


def item_key(epoch: str, address: ItemAddress) -> str:
    """Return the key of an item. Its owner and id have only one spelling: the loader accepts no other."""
    resource, owner, item_id = address
    return f"{epoch}{_SEPARATOR}{resource.collection}{_SEPARATOR}{owner}{_SEPARATOR}{item_id}"


class CacheEntry(NamedTuple):
    """The state of an item, and the moment of the replica that showed it (an empty text before the first moment)."""

    state: ItemState
    moment: str


def encode_entry(address: ItemAddress, entry: CacheEntry) -> bytes:
    """Encode an entry. It begins with the version, so that the server can compare two entries."""
    state = entry.state
    head = (state.version, *_describe_address(address), state.written_at.isoformat(), entry.moment, "")
    return _SEPARATOR.join(head).encode() + (state.body or b"")


def decode_entry(address: ItemAddress, encoded: bytes) -> CacheEntry | None:
    """Decode an entry. Return None if it belongs to another item, to another owner, or to another form of the class."""
    description = _describe_address(address)
    parts = encoded.split(_SEPARATOR.encode(), len(description) + 3)
    if len(parts) != len(description) + 4 or parts[1:-3] != [text.encode() for text in description]:
        return None
    version, written_at, moment, body = parts[0].decode(), parts[-3].decode(), parts[-2].decode(), parts[-1]
    return CacheEntry(ItemState(version, datetime.datetime.fromisoformat(written_at), body or None), moment)


def _describe_address(address: ItemAddress) -> tuple[str, ...]:
    return _digest_resource(address.resource), address.resource.collection, address.owner, address.id


@cache
def _digest_resource(resource: Resource) -> str:
    """Digest everything that decides how a row becomes a response, in case the revision was not increased."""
    defaults = [resource.encode_default(column.name) for column in resource.columns if column.presence == "default"]
    content = (_FORMAT, resource.revision, resource.private, resource.key, resource.columns, defaults)
    return hashlib.blake2b(repr(content).encode(), digest_size=8).hexdigest()


class TouchedItems:
    """The items that a load touches, by collection: owner and id with a line break between, as text or bytes."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, list[str | bytes]]] = []

    def add_rows(self, rows: Mapping[str, Iterable[str | bytes]]) -> None:
        self._rows += [(collection, list(keys)) for collection, keys in rows.items()]

    def cache_keys(self, epoch: str, resources: Mapping[str, Resource]) -> Iterator[str]:
        """Yield the items' keys in the cache."""
        for collection, keys in self._rows:
            resource = resources[collection]
            for key in keys:
                text = key if isinstance(key, str) else key.decode()
                yield item_key(epoch, ItemAddress(resource, *split_item_key(text)))
