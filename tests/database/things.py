"""A resource with every field type, and writes to it."""

import datetime
import enum
import uuid
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from sluice.ingest.item_body import decode_item, new_item_id
from sluice.model.record import NULL_DATA, Write, encode_item
from sluice.model.resource import Digits, Item, Resource, create_resource
from sluice.model.versions import new_version


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"


class Part(msgspec.Struct):
    name: str
    weight: float = 1.0


class Thing(Item):
    """A resource with a field of every type."""

    label: Annotated[str, Meta(max_length=40)]
    story: str = ""
    count: int = 0
    ratio: float = 0.0
    done: bool = False
    price: Annotated[Decimal, Digits(12, 3)] = Decimal(0)
    day: datetime.date = datetime.date(2000, 1, 1)
    moment: datetime.datetime = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)
    token: uuid.UUID = uuid.UUID(int=0)
    colour: Colour = Colour.RED
    size: Literal["s", "m", "l"] = "m"
    rank: Literal[1, 2, 3] = 1
    tags: list[str] = []
    attributes: dict[str, Any] = {}
    part: Part | None = None
    note: Annotated[str, Meta(max_length=20)] | None = None
    seen: datetime.datetime | None = None
    maybe: bool | None = None
    amount: Annotated[Decimal, Digits(8, 2)] | None = None
    number: int | None = None


THINGS = create_resource(Thing, "things", private=True)


class Code(Item):
    """A resource with a natural key."""

    code: str
    text: str | None = None


CODES = create_resource(Code, "codes", key="code")

OWNER = "4c1f6a3e-owner"


def put(data: dict[str, Any], item_id: str = "", owner: str = OWNER, resource: Resource = THINGS) -> Write:
    """An accepted put; its data is decoded as in the API."""
    item = decode_item(msgspec.json.encode(data), resource)
    return Write(
        version=new_version(),
        collection=resource.collection,
        id=item_id or new_item_id(),
        operation="put",
        owner=owner if resource.private else "",
        accepted_at=datetime.datetime.now(datetime.UTC),
        schema=resource.revision,
        data=encode_item(item, resource),
    )


def delete(item_id: str, owner: str = OWNER, resource: Resource = THINGS) -> Write:
    """An accepted delete."""
    return Write(
        version=new_version(),
        collection=resource.collection,
        id=item_id,
        operation="delete",
        owner=owner if resource.private else "",
        accepted_at=datetime.datetime.now(datetime.UTC),
        schema=resource.revision,
        data=NULL_DATA,
    )
