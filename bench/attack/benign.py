"""Requests as the service's own clients send them, with names of the world's airports: quotes, apostrophes, brackets,
letters of many alphabets. The rules of the firewall were chosen by them."""

import json
import random
from typing import Any
from urllib.parse import quote, urlencode

import airportsdata

from bench.attack.sent import JSON, Sent
from bench.attack.unseen import SEEN

LINES = 20
# As travellers write.
NOTES = (
    'window, "please" & thanks!',
    "Meal: vegetarian (no nuts); drink = water",
    "Or 1 aisle seat, or 2 if free",
    "Mr O'Neil -- late arrival",
    "50% off; voucher #12",
    "select seats by the exit",
    "Ñandú & Œuvre, 東京 → 大阪",
    "It's Ada's 1st flight",
    "call +49 (0)30 12-34, union desk",
    "<3 flying",
    "arrives 10/12; departs 11/12",
    "drop off at gate B",
    "Über-Gepäck: 2 × 23 kg",
    "привет, друзья",
    "a/b/c d\\e",
)
NAMES = (
    "Seán O'Brien",
    'D\'Arcy "Red" Malone',
    "Łukasz Żółć",
    "Nguyễn Văn An",
    "محمد علي",
    "山田 太郎",
    "Anne-Marie St. John",
    "X Æ A-12",
)


def benign(count: int = 1_200, seed: int = 1, besides: str = "") -> list[Sent]:
    """So many requests, the same for the same seed: half of the airports have other signs than letters in their
    names. None writes to an airport whose code begins with one of the letters `besides`."""
    chosen = random.Random(seed)
    loaded = airportsdata.load("ICAO")
    everyone: list[dict[str, Any]] = [dict(loaded[code]) for code in sorted(loaded) if code[0] not in besides]
    odd = [airport for airport in everyone if not _plain(airport)]
    many = count // 50
    half = (count - many) // 12
    airports = chosen.sample(everyone, half) + chosen.sample(odd, half)
    found = [request for airport in airports for request in _about(airport, chosen)]
    return found + [_many(chosen.sample(everyone, LINES)) for _ in range(count - len(found))]


def _plain(airport: dict[str, Any]) -> bool:
    return all(
        letter.isascii() and (letter.isalnum() or letter in " -.") for letter in f"{airport['name']}{airport['city']}"
    )


def _about(airport: dict[str, Any], chosen: random.Random) -> list[Sent]:
    code, country = quote(airport["icao"]), airport["country"]
    held = {"If-None-Match": '"01M83TX6AKPEC90XWTBJRZ90MF"', "Accept": JSON}
    ranges = {"country": country, "elevation.gte": chosen.randint(-10, 9_000), "sort": "-elevation", "limit": 50}
    booking = f"{chosen.getrandbits(128):032x}"
    booking = f"{booking[:8]}-{booking[8:12]}-7{booking[13:16]}-8{booking[17:20]}-{booking[20:]}"
    return [
        Sent(SEEN, "PUT", f"/v1/airports/{code}", {"Content-Type": JSON}, _json(airport)),
        Sent(SEEN, "GET", f"/v1/airports/{code}", held),
        Sent(SEEN, "GET", f"/v1/airports?{urlencode(ranges)}"),
        Sent(SEEN, "GET", f"/v1/airports?country={country}&fields=name,city,elevation"),
        Sent(SEEN, "POST", "/v1/bookings", {"Content-Type": JSON}, _json(_booking(airport, chosen))),
        Sent(
            SEEN,
            "GET",
            f"/v1/bookings/{booking}/writes/01M83TX6AKPEC90XWTBJRZ90MF",
            {"User-Agent": "Mozilla/5.0 (X11; Linux)"},
        ),
    ]


def _booking(airport: dict[str, Any], chosen: random.Random) -> dict[str, Any]:
    return {
        "passenger": chosen.choice(NAMES),
        "departs_at": "2026-12-24T09:30:00+01:00",
        "seats": chosen.randint(1, 9),
        "price": "129.90",
        "cabin": "economy",
        "airports": [airport["icao"], "LPPT"],
        "notes": f"{chosen.choice(NOTES)} {airport['name']}",
        "born_on": "1815-12-10",
        "voucher": None,
    }


def _many(airports: list[dict[str, Any]]) -> Sent:
    body = b"".join(_json(airport) + b"\n" for airport in airports)
    return Sent(SEEN, "POST", "/v1/airports", {"Content-Type": "application/x-ndjson"}, body)


def _json(item: dict[str, Any]) -> bytes:
    return json.dumps(item, ensure_ascii=False).encode()
