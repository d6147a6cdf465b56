"""Where the next page begins: the last item of a page, as a text that only we make and only we read."""

import base64
import hashlib
from dataclasses import dataclass
from typing import Any

import msgspec

from sluice.model.list_parameters import format_value, parse_value
from sluice.model.resource import describe_invalid_id
from sluice.query.query_planner import QueryPlan


@dataclass(frozen=True)
class Cursor:
    """The id of an item, and the value of the field that orders (None: it has none)."""

    item_id: str
    value: Any = None


class _EncodedCursor(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    digest: str
    item_id: str
    value: str | None


_decoder = msgspec.json.Decoder(_EncodedCursor)


def encode_cursor(selection: QueryPlan, owner: str, position: Cursor) -> str:
    """A position as a text. It carries a digest of itself and of what it is a position in."""
    order = selection.order_by
    value = None if order is None or position.value is None else format_value(order.type, position.value)
    digest = _compute_digest(selection, owner, position.item_id, value)
    encoded = msgspec.json.encode(_EncodedCursor(digest, position.item_id, value))
    return base64.urlsafe_b64encode(encoded).decode().rstrip("=")


def decode_cursor(selection: QueryPlan, owner: str, text: str) -> Cursor:
    """The position that a text was made of, in this selection and for this owner. Raises ValueError for any other."""
    found = _decoder.decode(base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True))
    if found.digest != _compute_digest(selection, owner, found.item_id, found.value):
        raise ValueError("a position in something else")
    if describe_invalid_id(selection.resource, found.item_id) or (
        found.value is not None and selection.order_by is None
    ):
        raise ValueError("no position")
    if selection.order_by is None or found.value is None:
        return Cursor(found.item_id)
    return Cursor(found.item_id, parse_value(selection.order_by.type, found.value))


def _compute_digest(selection: QueryPlan, owner: str, item_id: str, value: str | None) -> str:
    """Not a secret: whoever makes one up gets no more than a page of what is the caller's own anyway."""
    order = selection.order_by.name if selection.order_by else "id"
    asked = [sorted((name, str(one)) for name, one in given.items()) for given in (selection.equals, selection.bounds)]
    content = [selection.resource.collection, owner, order, selection.descending, asked, item_id, value]
    return hashlib.blake2b(msgspec.json.encode(content), digest_size=8).hexdigest()
