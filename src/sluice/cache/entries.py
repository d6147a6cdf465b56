"""Keys and entries of the cache. Whose an item is stands in both: an entry under another key is none."""

import datetime
import hashlib
from functools import cache

from sluice.resource import Resource
from sluice.states import Address, ItemState

# To be raised whenever answers to the same rows look different.
_FORMAT = 1
_SEPARATOR = "\n"  # no collection, owner or id that the API takes has it


def loads_key(generation: str) -> str:
    """The key of a generation's greatest count of loads. Without it, nothing is kept until a load comes."""
    return f"{generation}{_SEPARATOR}loads"


def key_of(generation: str, address: Address) -> str:
    """The key of an item. Its owner and id have one spelling: the loader takes no other."""
    resource, owner, item_id = address
    return f"{generation}{_SEPARATOR}{resource.collection}{_SEPARATOR}{owner}{_SEPARATOR}{item_id}"


def written(address: Address, state: ItemState) -> bytes:
    """An entry as the cache keeps it: the version in front, so that the server can compare two."""
    head = (state.version, *_facts(address), state.written_at.isoformat(), "")
    return _SEPARATOR.join(head).encode() + (state.body or b"")


def read(address: Address, entry: bytes) -> ItemState | None:
    """The state in an entry; None when it is of another item or owner, or of the class as it was or will be."""
    facts = _facts(address)
    parts = entry.split(_SEPARATOR.encode(), len(facts) + 2)
    if len(parts) != len(facts) + 3 or parts[1:-2] != [one.encode() for one in facts]:
        return None
    version, written_at, body = parts[0].decode(), parts[-2].decode(), parts[-1]
    return ItemState(version, datetime.datetime.fromisoformat(written_at), body or None)


def _facts(address: Address) -> tuple[str, ...]:
    return _shape(address.resource), address.resource.collection, address.owner, address.id


@cache
def _shape(resource: Resource) -> str:
    """A digest of all that decides how a row is answered, also where nobody raised the revision."""
    defaults = [resource.default_text(one.name) for one in resource.columns if one.presence == "default"]
    facts = (_FORMAT, resource.revision, resource.private, resource.key, resource.columns, defaults)
    return hashlib.blake2b(repr(facts).encode(), digest_size=8).hexdigest()
