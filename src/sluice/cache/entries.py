"""Keys and entries of the cache. Whose an item is stands in both: an entry under another key is none.

The items that a load touches.
"""

import datetime
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache

from sluice.model.item_state import ItemAddress, ItemState, split_item_key
from sluice.model.resource import Resource

# To be raised whenever answers to the same rows look different.
_FORMAT = 1


_SEPARATOR = "\n"  # no collection, owner or id that the API takes has it


def load_count_key(epoch: str) -> str:
    """The key of a generation's greatest count of loads. Without it, nothing is kept until a load comes."""
    return f"{epoch}{_SEPARATOR}loads"


def item_key(epoch: str, address: ItemAddress) -> str:
    """The key of an item. Its owner and id have one spelling: the loader takes no other."""
    resource, owner, item_id = address
    return f"{epoch}{_SEPARATOR}{resource.collection}{_SEPARATOR}{owner}{_SEPARATOR}{item_id}"


def encode_entry(address: ItemAddress, state: ItemState) -> bytes:
    """An entry as the cache keeps it: the version in front, so that the server can compare two."""
    head = (state.version, *_describe_address(address), state.written_at.isoformat(), "")
    return _SEPARATOR.join(head).encode() + (state.body or b"")


def decode_entry(address: ItemAddress, entry: bytes) -> ItemState | None:
    """The state in an entry; None when it is of another item or owner, or of the class as it was or will be."""
    facts = _describe_address(address)
    parts = entry.split(_SEPARATOR.encode(), len(facts) + 2)
    if len(parts) != len(facts) + 3 or parts[1:-2] != [one.encode() for one in facts]:
        return None
    version, written_at, body = parts[0].decode(), parts[-2].decode(), parts[-1]
    return ItemState(version, datetime.datetime.fromisoformat(written_at), body or None)


def _describe_address(address: ItemAddress) -> tuple[str, ...]:
    return _digest_resource(address.resource), address.resource.collection, address.owner, address.id


@cache
def _digest_resource(resource: Resource) -> str:
    """A digest of all that decides how a row is answered, also where nobody raised the revision."""
    defaults = [resource.encode_default(one.name) for one in resource.columns if one.presence == "default"]
    facts = (_FORMAT, resource.revision, resource.private, resource.key, resource.columns, defaults)
    return hashlib.blake2b(repr(facts).encode(), digest_size=8).hexdigest()


class TouchedItems:
    """Items by collection: owner and id with a line's end between, as text or bytes."""

    def __init__(self) -> None:
        self._keys: list[tuple[str, list[str | bytes]]] = []

    def add_rows(self, rows: Mapping[str, Iterable[str | bytes]]) -> None:
        self._keys += [(collection, list(keys)) for collection, keys in rows.items()]

    def cache_keys(self, epoch: str, resources: Mapping[str, Resource]) -> Iterator[str]:
        """Their keys in the cache."""
        for collection, items in self._keys:
            resource = resources[collection]
            for item in items:
                text = item if isinstance(item, str) else item.decode()
                yield item_key(epoch, ItemAddress(resource, *split_item_key(text)))
