"""Benign requests: what the service's own clients send, and what people of many countries write.

The firewall's rules were chosen with the requests of the tuning set. The held-out set is never looked at: the share of
it that passes is the reported figure.
"""

import hashlib
import json
import random
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import airportsdata
from faker import Faker

from testkit.attack.requests import JSON_TYPE, Request

TUNING_SET, HELD_OUT_SET = "seen", "held out"

LINES_PER_POST = 20
# Notes as travellers write them.
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
LOCALES = (
    "ar_EG", "de_DE", "en_GB", "en_IN", "en_US", "es_ES", "fr_FR", "ga_IE", "it_IT", "ja_JP", "nl_NL", "pl_PL", "pt_BR",
    "ru_RU", "sv_SE",
)  # fmt: skip


def build_benign_requests(count: int = 1_200, seed: int = 1, excluded_letters: str = "") -> list[Request]:
    """Build `count` requests about real airports for the tuning set; the same ones for the same seed.

    Half of the airports have characters other than letters in their names. No request writes to an airport whose code
    starts with one of the excluded letters.
    """
    chance = random.Random(seed)
    loaded = airportsdata.load("ICAO")
    airports: list[dict[str, Any]] = [dict(loaded[code]) for code in sorted(loaded) if code[0] not in excluded_letters]
    special = [airport for airport in airports if not _has_plain_name(airport)]
    batch_posts = count // 50
    half = (count - batch_posts) // 12
    sample = chance.sample(airports, half) + chance.sample(special, half)
    requests = [request for airport in sample for request in _build_airport_requests(airport, chance)]
    missing = range(count - len(requests))
    return requests + [_build_batch_request(chance.sample(airports, LINES_PER_POST)) for _ in missing]


def _has_plain_name(airport: dict[str, Any]) -> bool:
    return all(
        character.isascii() and (character.isalnum() or character in " -.")
        for character in f"{airport['name']}{airport['city']}"
    )


def _build_airport_requests(airport: dict[str, Any], chance: random.Random) -> list[Request]:
    code, country = quote(airport["icao"]), airport["country"]
    conditional = {"If-None-Match": '"01M83TX6AKPEC90XWTBJRZ90MF"', "Accept": JSON_TYPE}
    ranges = {"country": country, "elevation.gte": chance.randint(-10, 9_000), "sort": "-elevation", "limit": 50}
    digits = f"{chance.getrandbits(128):032x}"
    booking = f"{digits[:8]}-{digits[8:12]}-7{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"
    receipt = f"/v1/bookings/{booking}/writes/01M83TX6AKPEC90XWTBJRZ90MF"
    json_headers = {"Content-Type": JSON_TYPE}
    return [
        Request(TUNING_SET, "PUT", f"/v1/airports/{code}", json_headers, _encode_json(airport)),
        Request(TUNING_SET, "GET", f"/v1/airports/{code}", conditional),
        Request(TUNING_SET, "GET", f"/v1/airports?{urlencode(ranges)}"),
        Request(TUNING_SET, "GET", f"/v1/airports?country={country}&fields=name,city,elevation"),
        Request(TUNING_SET, "POST", "/v1/bookings", json_headers, _encode_json(_build_booking(airport, chance))),
        Request(TUNING_SET, "GET", receipt, {"User-Agent": "Mozilla/5.0 (X11; Linux)"}),
    ]


def _build_booking(airport: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    return {
        "passenger": chance.choice(NAMES),
        "departs_at": "2026-12-24T09:30:00+01:00",
        "seats": chance.randint(1, 9),
        "price": "129.90",
        "cabin": "economy",
        "airports": [airport["icao"], "LPPT"],
        "notes": f"{chance.choice(NOTES)} {airport['name']}",
        "born_on": "1815-12-10",
        "voucher": None,
    }


def _build_batch_request(airports: list[dict[str, Any]]) -> Request:
    body = b"".join(_encode_json(airport) + b"\n" for airport in airports)
    return Request(TUNING_SET, "POST", "/v1/airports", {"Content-Type": "application/x-ndjson"}, body)


def build_visitor_requests(count: int, seed: int = 2_026) -> tuple[list[Request], list[Request]]:
    """Build `count` requests each for the tuning set and the held-out set; the same ones for the same seed.

    Faker makes names, addresses, companies, professions and sentences of many countries. The digest of a request
    decides which set it belongs to.
    """
    sets: dict[str, list[Request]] = {TUNING_SET: [], HELD_OUT_SET: []}
    for request in _generate_visitor_bookings(seed):
        if len(sets[request.kind]) < count:
            sets[request.kind].append(request)
        if all(len(requests) == count for requests in sets.values()):
            break
    return sets[TUNING_SET], sets[HELD_OUT_SET]


def _generate_visitor_bookings(seed: int) -> Iterator[Request]:
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
    body = _encode_json(item)
    kind = HELD_OUT_SET if hashlib.sha256(body).digest()[0] % 2 else TUNING_SET
    return Request(kind, "POST", "/v1/bookings", {"Content-Type": JSON_TYPE, "User-Agent": agent}, body)


def _encode_json(item: dict[str, Any]) -> bytes:
    return json.dumps(item, ensure_ascii=False).encode()
