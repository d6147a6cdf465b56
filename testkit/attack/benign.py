"""Benign requests: real airport names, and what people of many countries write."""

import hashlib
import json
import random
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import airportsdata
from faker import Faker

from testkit.attack.requests import JSON_TYPE, Request

LINES_PER_POST = 20


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


def build_benign_requests(count: int = 1_200, seed: int = 1, excluded_letters: str = "") -> list[Request]:
    """So many requests, the same for the same seed: half of the airports have other signs than letters in their
    names. None writes to an airport whose code begins with one of the letters `besides`."""
    chosen = random.Random(seed)
    loaded = airportsdata.load("ICAO")
    everyone: list[dict[str, Any]] = [dict(loaded[code]) for code in sorted(loaded) if code[0] not in excluded_letters]
    odd = [airport for airport in everyone if not _is_plain(airport)]
    many = count // 50
    half = (count - many) // 12
    airports = chosen.sample(everyone, half) + chosen.sample(odd, half)
    found = [request for airport in airports for request in _build_airport_requests(airport, chosen)]
    return found + [_build_batch_request(chosen.sample(everyone, LINES_PER_POST)) for _ in range(count - len(found))]


def _is_plain(airport: dict[str, Any]) -> bool:
    return all(
        letter.isascii() and (letter.isalnum() or letter in " -.") for letter in f"{airport['name']}{airport['city']}"
    )


def _build_airport_requests(airport: dict[str, Any], chosen: random.Random) -> list[Request]:
    code, country = quote(airport["icao"]), airport["country"]
    held = {"If-None-Match": '"01M83TX6AKPEC90XWTBJRZ90MF"', "Accept": JSON_TYPE}
    ranges = {"country": country, "elevation.gte": chosen.randint(-10, 9_000), "sort": "-elevation", "limit": 50}
    booking = f"{chosen.getrandbits(128):032x}"
    booking = f"{booking[:8]}-{booking[8:12]}-7{booking[13:16]}-8{booking[17:20]}-{booking[20:]}"
    return [
        Request(TUNING_SET, "PUT", f"/v1/airports/{code}", {"Content-Type": JSON_TYPE}, _encode_json(airport)),
        Request(TUNING_SET, "GET", f"/v1/airports/{code}", held),
        Request(TUNING_SET, "GET", f"/v1/airports?{urlencode(ranges)}"),
        Request(TUNING_SET, "GET", f"/v1/airports?country={country}&fields=name,city,elevation"),
        Request(
            TUNING_SET,
            "POST",
            "/v1/bookings",
            {"Content-Type": JSON_TYPE},
            _encode_json(_build_booking(airport, chosen)),
        ),
        Request(
            TUNING_SET,
            "GET",
            f"/v1/bookings/{booking}/writes/01M83TX6AKPEC90XWTBJRZ90MF",
            {"User-Agent": "Mozilla/5.0 (X11; Linux)"},
        ),
    ]


def _build_booking(airport: dict[str, Any], chosen: random.Random) -> dict[str, Any]:
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


def _build_batch_request(airports: list[dict[str, Any]]) -> Request:
    body = b"".join(_encode_json(airport) + b"\n" for airport in airports)
    return Request(TUNING_SET, "POST", "/v1/airports", {"Content-Type": "application/x-ndjson"}, body)


def _encode_json(item: dict[str, Any]) -> bytes:
    return json.dumps(item, ensure_ascii=False).encode()


LOCALES = (
    "ar_EG", "de_DE", "en_GB", "en_IN", "en_US", "es_ES", "fr_FR", "ga_IE", "it_IT", "ja_JP", "nl_NL", "pl_PL", "pt_BR",
    "ru_RU", "sv_SE",
)  # fmt: skip


TUNING_SET, HELD_OUT_SET = "seen", "held out"


def build_visitor_requests(count: int, seed: int = 2_026) -> tuple[list[Request], list[Request]]:
    """So many requests of each half, the seen one first; the same for the same seed."""
    found: dict[str, list[Request]] = {TUNING_SET: [], HELD_OUT_SET: []}
    for request in _generate_requests(seed):
        if len(found[request.kind]) < count:
            found[request.kind].append(request)
        if all(len(half) == count for half in found.values()):
            break
    return found[TUNING_SET], found[HELD_OUT_SET]


def _generate_requests(seed: int) -> Iterator[Request]:
    people = [Faker(locale) for locale in LOCALES]
    for number, person in enumerate(people):
        person.seed_instance(seed + number)
    while True:
        for person in people:
            remarks = person.address(), person.company(), person.job(), person.sentence(), person.text(120)
            agent = person.user_agent()
            for remark in remarks:
                yield _build_visitor_booking(person.name(), remark, agent)


def _build_visitor_booking(passenger: str, notes: str, agent: str) -> Request:
    item = {
        "passenger": passenger,
        "departs_at": "2026-12-24T09:30:00+01:00",
        "seats": 1,
        "price": "129.90",
        "cabin": "economy",
        "airports": ["EDDF", "LPPT"],
        "notes": notes,
    }
    body = json.dumps(item, ensure_ascii=False).encode()
    kind = HELD_OUT_SET if hashlib.sha256(body).digest()[0] % 2 else TUNING_SET
    return Request(kind, "POST", "/v1/bookings", {"Content-Type": JSON_TYPE, "User-Agent": agent}, body)
