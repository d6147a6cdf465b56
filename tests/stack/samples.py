"""Items to write."""

from typing import Any


def airport(code: str, **fields: Any) -> dict[str, Any]:
    return {
        "icao": code,
        "name": f"Field of {code}",
        "country": "IS",
        "lat": 64.13,
        "lon": -21.94,
        "elevation": 48.0,
        "tz": "Atlantic/Reykjavik",
        "iata": "",
        "city": "Reykjavík",
        "subd": "",
        "lid": "",
        **fields,
    }


def booking(**fields: Any) -> dict[str, Any]:
    return {
        "passenger": "Ada Lovelace",
        "departs_at": "2026-12-24T09:30:00Z",
        "seats": 2,
        "price": "129.90",
        "cabin": "economy",
        "airports": ["EDDF", "LPPT"],
        "notes": 'window, "please"\t\\o/',
        "born_on": "1815-12-10",
        "voucher": None,
        **fields,
    }
