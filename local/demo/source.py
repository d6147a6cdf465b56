"""The airports as their source has them, and how an item of the API compares with one."""

from collections.abc import Mapping
from typing import Any

import airportsdata

COLLECTION = "airports"

Airport = Mapping[str, Any]


def load_airports() -> dict[str, Airport]:
    """Every airport of the installed `airportsdata`, by ICAO code."""
    return dict(airportsdata.load("ICAO"))


def count_mismatches(source: Mapping[str, Airport], items: Mapping[str, Mapping[str, Any]]) -> int:
    """How many fields differ, counting every field of an airport that one side lacks."""
    wrong = 0
    for code in source.keys() | items.keys():
        expected = source.get(code, {})
        found = items[code]["data"] if code in items else {}
        wrong += sum(expected.get(field) != found.get(field) for field in expected.keys() | found.keys())
    return wrong
