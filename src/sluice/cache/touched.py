"""The items that a load touches."""

from collections.abc import Iterable, Iterator, Mapping

from sluice.cache.entries import key_of
from sluice.resource import Resource
from sluice.states import Address


class Touched:
    """Items by collection: owner and id with a line's end between, as text or bytes."""

    def __init__(self) -> None:
        self._keys: list[tuple[str, list[str | bytes]]] = []

    def add(self, rows: Mapping[str, Iterable[str | bytes]]) -> None:
        self._keys += [(collection, list(keys)) for collection, keys in rows.items()]

    def keys(self, generation: str, resources: Mapping[str, Resource]) -> Iterator[str]:
        """Their keys in the cache."""
        for collection, items in self._keys:
            resource = resources[collection]
            for item in items:
                text = item if isinstance(item, str) else item.decode()
                owner, _, item_id = text.partition("\n")
                yield key_of(generation, Address(resource, owner, item_id))
