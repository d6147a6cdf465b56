"""Flight bookings: private, each seen and changed by its owner only."""

import datetime
from decimal import Decimal
from typing import Annotated, Literal

from msgspec import Meta

from sluice.resource import Digits, Item, resource


@resource("bookings", private=True)
class Booking(Item):
    """A booked flight."""

    passenger: Annotated[str, Meta(min_length=1, max_length=120)]
    departs_at: datetime.datetime
    """When the flight leaves, with a time zone; kept in UTC."""
    seats: Annotated[int, Meta(ge=1, le=9)]
    price: Annotated[Decimal, Digits(10, 2)]
    cabin: Literal["economy", "premium", "business", "first"]
    airports: Annotated[list[Annotated[str, Meta(pattern="^[A-Z0-9_]{4}$")]], Meta(min_length=2, max_length=8)]
    """ICAO codes of the stops, in order."""
    notes: Annotated[str, Meta(max_length=2000)] | None = None
    born_on: datetime.date | None = None
    """The passenger's date of birth."""
    voucher: Annotated[str, Meta(max_length=32)] | None = None
