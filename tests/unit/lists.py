"""A resource with an index of every type that an index can have."""

import datetime
import uuid
from decimal import Decimal
from typing import Annotated, Literal

from msgspec import Meta

from sluice.model.resource import Digits, Item, create_resource


class Sample(Item):
    """A field of every type that can be indexed."""

    label: Annotated[str, Meta(max_length=20)]
    count: int | None = None
    ratio: float | None = None
    done: bool | None = None
    price: Annotated[Decimal, Digits(12, 3)] | None = None
    day: datetime.date | None = None
    moment: datetime.datetime | None = None
    token: uuid.UUID | None = None
    colour: Literal["red", "green"] | None = None
    story: str = ""


FIELDS = ("label", "count", "ratio", "done", "price", "day", "moment", "token", "colour")
SAMPLES = create_resource(
    Sample, "samples", private=True, indexes=(*FIELDS, ("colour", "count"), ("done", "colour", "price"))
)


class Place(Item):
    """A place, whose id is its code."""

    code: str
    country: Annotated[str, Meta(max_length=2)]


PLACES = create_resource(Place, "places", key="code", indexes=("country",))
