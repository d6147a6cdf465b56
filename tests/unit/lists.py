"""A resource whose lists can be asked by every type that an index can hold."""

import datetime
import uuid
from decimal import Decimal
from typing import Annotated, Literal

from msgspec import Meta

from sluice.model.resource import Digits, Item, create_resource


class Sample(Item):
    """One of everything that can be indexed."""

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
    """A place by its code."""

    code: str
    country: Annotated[str, Meta(max_length=2)]


PLACES = create_resource(Place, "places", key="code", indexes=("country",))
