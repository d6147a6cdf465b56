"""Requests with what people of many countries write, made by Faker: names, addresses, firms, professions, sentences.

The digest of a request says which half it is of. On one half rules of the firewall may be chosen; the other is held
out: nobody looks at it, and the share that is reported is of it.
"""

import hashlib
import json
from collections.abc import Iterator

from faker import Faker

from bench.attack.sent import JSON, Sent

LOCALES = (
    "ar_EG", "de_DE", "en_GB", "en_IN", "en_US", "es_ES", "fr_FR", "ga_IE", "it_IT", "ja_JP", "nl_NL", "pl_PL", "pt_BR",
    "ru_RU", "sv_SE",
)  # fmt: skip
SEEN, HELD_OUT = "seen", "held out"


def halves(count: int, seed: int = 2_026) -> tuple[list[Sent], list[Sent]]:
    """So many requests of each half, the seen one first; the same for the same seed."""
    found: dict[str, list[Sent]] = {SEEN: [], HELD_OUT: []}
    for request in _requests(seed):
        if len(found[request.kind]) < count:
            found[request.kind].append(request)
        if all(len(half) == count for half in found.values()):
            break
    return found[SEEN], found[HELD_OUT]


def _requests(seed: int) -> Iterator[Sent]:
    people = [Faker(locale) for locale in LOCALES]
    for number, person in enumerate(people):
        person.seed_instance(seed + number)
    while True:
        for person in people:
            remarks = person.address(), person.company(), person.job(), person.sentence(), person.text(120)
            agent = person.user_agent()
            for remark in remarks:
                yield _booking(person.name(), remark, agent)


def _booking(passenger: str, notes: str, agent: str) -> Sent:
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
    kind = HELD_OUT if hashlib.sha256(body).digest()[0] % 2 else SEEN
    return Sent(kind, "POST", "/v1/bookings", {"Content-Type": JSON, "User-Agent": agent}, body)
