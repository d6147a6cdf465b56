"""The airports of the source data, and their comparison with the items of the API."""

from collections.abc import Mapping
from typing import Any

import airportsdata

COLLECTION = "airports"
FIRST = "LPPT"
"""The airport that is written and read before all others."""

Airport = Mapping[str, Any]


def load_airports() -> dict[str, Airport]:
    """Every airport of the installed `airportsdata`, by ICAO code."""
    return dict(airportsdata.load("ICAO"))


def count_mismatches(source: Mapping[str, Airport], items: Mapping[str, Mapping[str, Any]]) -> int:
    """How many fields differ; a missing airport counts with every field."""
    count = 0
    for code in source.keys() | items.keys():
        expected = source.get(code, {})
        actual = items[code]["data"] if code in items else {}
        count += sum(expected.get(field) != actual.get(field) for field in expected.keys() | actual.keys())
    return count
