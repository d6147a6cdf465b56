"""The resources as pydantic has them: the limits are those of src/resources."""

import datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

Code = Annotated[str, Field(pattern="^[A-Z0-9_]{4}$")]


class Item(BaseModel):
    """Base of the resources."""

    model_config = ConfigDict(extra="forbid")


class Airport(Item):
    """An airport."""

    icao: Code
    name: Annotated[str, Field(min_length=1, max_length=120)]
    country: Annotated[str, Field(pattern="^[A-Z]{2}$", max_length=2)]
    lat: Annotated[float, Field(ge=-90, le=90)]
    lon: Annotated[float, Field(ge=-180, le=180)]
    elevation: float
    tz: Annotated[str, Field(max_length=64)]
    iata: Annotated[str, Field(max_length=3)] = ""
    city: Annotated[str, Field(max_length=80)] = ""
    subd: Annotated[str, Field(max_length=80)] = ""
    lid: Annotated[str, Field(max_length=10)] = ""


class Booking(Item):
    """A booked flight."""

    passenger: Annotated[str, Field(min_length=1, max_length=120)]
    departs_at: AwareDatetime
    seats: Annotated[int, Field(ge=1, le=9)]
    price: Annotated[Decimal, Field(max_digits=10, decimal_places=2)]
    cabin: Literal["economy", "premium", "business", "first"]
    airports: Annotated[list[Code], Field(min_length=2, max_length=8)]
    notes: Annotated[str, Field(max_length=2000)] | None = None
    born_on: datetime.date | None = None
    voucher: Annotated[str, Field(max_length=32)] | None = None
