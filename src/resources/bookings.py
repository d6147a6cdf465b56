"""Flight bookings. They are private: only its owner can read and write a booking."""

import datetime
from decimal import Decimal
from typing import Annotated, Literal

from msgspec import Meta

from sluice.model.resource import Digits, Item, resource


@resource(
    "bookings",
    private=True,
    examples=[
        {
            "passenger": "Inês Carvalho",
            "departs_at": "2026-12-24T09:30:00+01:00",
            "seats": 2,
            "price": "259.80",
            "cabin": "economy",
            "airports": ["EDDF", "LPPT"],
            "notes": "Two seats side by side, one at the window",
        },
        {
            "passenger": "Aino Korhonen",
            "departs_at": "2027-01-08T06:45:00+02:00",
            "seats": 1,
            "price": "1184.00",
            "cabin": "business",
            "airports": ["EFHK", "EDDF", "LPPT"],
            "born_on": "1984-02-29",
            "voucher": "SPRING-27",
        },
    ],
)
class Booking(Item):
    """A booked flight."""

    passenger: Annotated[str, Meta(min_length=1, max_length=120)]
    departs_at: datetime.datetime
    """Departure time with a time zone; stored in UTC."""
    seats: Annotated[int, Meta(ge=1, le=9)]
    price: Annotated[Decimal, Digits(10, 2)]
    cabin: Literal["economy", "premium", "business", "first"]
    airports: Annotated[list[Annotated[str, Meta(pattern="^[A-Z0-9_]{4}$")]], Meta(min_length=2, max_length=8)]
    """ICAO codes of the stops, in order."""
    notes: Annotated[str, Meta(max_length=2000)] | None = None
    born_on: datetime.date | None = None
    """The passenger's date of birth."""
    voucher: Annotated[str, Meta(max_length=32)] | None = None
