"""The world's airports. They are shared: everyone can read them, and editors can write them."""

from typing import Annotated

from msgspec import Meta

from sluice.model.resource import Item, resource

Latitude = Annotated[float, Meta(ge=-90, le=90)]
Longitude = Annotated[float, Meta(ge=-180, le=180)]


@resource(
    "airports",
    key="icao",
    writers="editors",
    indexes=("country", ("country", "elevation")),
    examples=[
        {
            "icao": "LPPT",
            "name": "Lisbon Portela Airport",
            "country": "PT",
            "lat": 38.7813,
            "lon": -9.13592,
            "elevation": 355.0,
            "tz": "Europe/Lisbon",
            "iata": "LIS",
            "city": "Lisbon",
            "subd": "Lisbon",
        },
        {
            "icao": "EFHK",
            "name": "Helsinki Vantaa Airport",
            "country": "FI",
            "lat": 60.3172,
            "lon": 24.9633,
            "elevation": 179.0,
            "tz": "Europe/Helsinki",
            "iata": "HEL",
            "city": "Helsinki",
            "subd": "Uusimaa",
        },
    ],
)
class Airport(Item):
    """An airport, identified by its ICAO code."""

    icao: Annotated[str, Meta(pattern="^[A-Z0-9_]{4}$")]
    """ICAO code, or the code of the data source if there is none."""
    name: Annotated[str, Meta(min_length=1, max_length=120)]
    country: Annotated[str, Meta(pattern="^[A-Z]{2}$", max_length=2)]
    """ISO 3166-1 alpha-2."""
    lat: Latitude
    """Degrees, north positive."""
    lon: Longitude
    """Degrees, east positive."""
    elevation: float
    """Feet above mean sea level."""
    tz: Annotated[str, Meta(max_length=64)]
    """IANA time zone."""
    iata: Annotated[str, Meta(max_length=3)] = ""
    city: Annotated[str, Meta(max_length=80)] = ""
    subd: Annotated[str, Meta(max_length=80)] = ""
    """Subdivision, such as a state or region."""
    lid: Annotated[str, Meta(max_length=10)] = ""
    """Local identifier."""
