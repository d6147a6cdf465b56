"""An item as reads answer it, wherever it was found."""

import datetime
from typing import NamedTuple

import msgspec

from sluice.resource import Resource


class Address(NamedTuple):
    """Which item: of whom, in which collection. `owner` is empty in a shared one."""

    resource: Resource
    owner: str
    id: str


class ItemState(msgspec.Struct, frozen=True):
    """A version of an item: when its write was accepted, and the answer's body in JSON (None: it was deleted)."""

    version: str
    written_at: datetime.datetime
    body: bytes | None
