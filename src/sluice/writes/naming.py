"""The ids of the items that a POST brings: the client's natural keys, derived from its Idempotency-Key, or new ones."""

import re
from collections.abc import Sequence

from sluice.api.problems import invalid
from sluice.api.requests import Request
from sluice.ids import derived_id, id_fault, new_id, new_ids
from sluice.resource import Item, Resource

_KEY = re.compile(r"[!-~](?:[ -~]{0,253}[!-~])?")


def idempotency_key(request: Request) -> str:
    """The request's Idempotency-Key, or an empty text when there is none.

    Raises Problem 400 for what is no such key. An empty one is none: a client that lost its key would write twice.
    """
    key = request.headers.get("idempotency-key")
    if key is None:
        return ""
    if not _KEY.fullmatch(key):
        raise invalid("Idempotency-Key", "Expected 1 to 255 printable characters of ASCII", 400)
    if request.times("idempotency-key") > 1:
        raise invalid("Idempotency-Key", "Expected once", 400)
    return key


def natural_id(resource: Resource, item: Item) -> str:
    """The id that an item has by its resource's key. Raises Problem 422 for one that cannot stand in a path."""
    field = resource.key or ""
    item_id = str(getattr(item, field))
    if fault := id_fault(resource, item_id):
        raise invalid(field, fault)
    return item_id


def item_id(resource: Resource, request: Request, key: str, item: Item) -> str:
    """The id of the one item of a request. Raises Problem 422."""
    if resource.key:
        return natural_id(resource, item)
    return derived_id(request.caller.subject, resource.collection, key) if key else new_id()


def chosen_ids(resource: Resource, request: Request, key: str, lines: Sequence[int]) -> Sequence[str]:
    """The ids of a request's many items by their lines; empty texts, where the items themselves have them."""
    if resource.key:
        return [""] * len(lines)
    if key:
        return [derived_id(request.caller.subject, resource.collection, key, line) for line in lines]
    return new_ids(len(lines))
