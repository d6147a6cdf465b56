"""Where the next page begins: the last item of a page, as a text that only we make and only we read."""

import base64
import hashlib
from dataclasses import dataclass
from typing import Any

import msgspec

from sluice.ids import id_fault
from sluice.reading.selecting import Selection
from sluice.reading.values import text_of, value_of


@dataclass(frozen=True)
class Position:
    """The id of an item, and the value of the field that orders (None: it has none)."""

    item_id: str
    value: Any = None


class _Written(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    digest: str
    item_id: str
    value: str | None


_decoder = msgspec.json.Decoder(_Written)


def written(selection: Selection, owner: str, position: Position) -> str:
    """A position as a text. It carries a digest of itself and of what it is a position in."""
    order = selection.order
    value = None if order is None or position.value is None else text_of(order.type, position.value)
    digest = _digest(selection, owner, position.item_id, value)
    encoded = msgspec.json.encode(_Written(digest, position.item_id, value))
    return base64.urlsafe_b64encode(encoded).decode().rstrip("=")


def read(selection: Selection, owner: str, text: str) -> Position:
    """The position that a text was made of, in this selection and for this owner. Raises ValueError for any other."""
    found = _decoder.decode(base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True))
    if found.digest != _digest(selection, owner, found.item_id, found.value):
        raise ValueError("a position in something else")
    if id_fault(selection.resource, found.item_id) or (found.value is not None and selection.order is None):
        raise ValueError("no position")
    if selection.order is None or found.value is None:
        return Position(found.item_id)
    return Position(found.item_id, value_of(selection.order.type, found.value))


def _digest(selection: Selection, owner: str, item_id: str, value: str | None) -> str:
    """Not a secret: whoever makes one up gets no more than a page of what is the caller's own anyway."""
    order = selection.order.name if selection.order else "id"
    asked = [sorted((name, str(one)) for name, one in given.items()) for given in (selection.equals, selection.bounds)]
    content = [selection.resource.collection, owner, order, selection.descending, asked, item_id, value]
    return hashlib.blake2b(msgspec.json.encode(content), digest_size=8).hexdigest()
