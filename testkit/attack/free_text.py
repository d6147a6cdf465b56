"""Requests whose bodies carry free text, as people type and paste it: quotations, paths, tables, control characters.

As in `benign`, the digest of a text decides whether rules may be chosen with it, or whether it is held out.
"""

import hashlib
import json
import random
from collections.abc import Iterator

from faker import Faker

from testkit.attack.benign import LINES_PER_POST, LOCALES
from testkit.attack.requests import JSON_TYPE, Request

NDJSON_TYPE = "application/x-ndjson"
TUNING_TEXTS, HELD_OUT_TEXTS = "free text, seen", "free text, held out"
# What surrounds two sentences or three words of a language, {0} to {2}.
FORMS = (
    'She said "{0}" and then: {1}',
    '"{0}", "{1}", "{2}"',
    "{0}\t{1}\t{2}",
    "{0}\r\n{1}\r\n\r\n{2}",
    "C:\\Users\\{0}\\Desktop\\{1}.docx",
    "see \\\\server\\{0}\\{1}",
    "{0}\x0c{1}",
    "\x1b[1m{0}\x1b[0m {1}",
    "{0} -- {1}; {2}",
    "{0} (\"{1}\") / '{2}'",
    "- {0}\n- {1}\n- {2}",
    "`{0}` and *{1}*",
    'if ({0} == "{1}") {{ return {2}; }}',
    "<b>{0}</b> {1}",
    "{0} <{1}@example.com>, https://example.com/{2}?page=1&sort=asc",
    "{0}: 50% = {1} + {2}; #3",
)


def build_free_text_requests(count: int, seed: int = 2_026) -> tuple[list[Request], list[Request]]:
    """Build requests with `count` texts each to choose rules with and held out; the same ones for the same seed.

    Each text is sent twice: alone in a JSON item, and with others as a line of NDJSON.
    """
    sets: dict[str, list[str]] = {TUNING_TEXTS: [], HELD_OUT_TEXTS: []}
    for text in _generate_texts(seed):
        texts = sets[HELD_OUT_TEXTS if hashlib.sha256(text.encode()).digest()[0] % 2 else TUNING_TEXTS]
        if len(texts) < count:
            texts.append(text)
        if all(len(texts) == count for texts in sets.values()):
            break
    tuning, held_out = (list(_build_requests(kind, texts)) for kind, texts in sets.items())
    return tuning, held_out


def _generate_texts(seed: int) -> Iterator[str]:
    chance, people = random.Random(seed), [Faker(locale) for locale in LOCALES]
    for number, person in enumerate(people):
        person.seed_instance(seed + number)
    while True:
        for person in people:
            for form in FORMS:
                as_words = chance.random() < 0.5
                parts = [person.word() if as_words else person.sentence() for _ in range(3)]
                yield form.format(*parts)


def _build_requests(kind: str, texts: list[str]) -> Iterator[Request]:
    lines = [_build_item(text) for text in texts]
    for line in lines:
        yield Request(kind, "POST", "/v1/bookings", {"Content-Type": JSON_TYPE}, line)
    for start in range(0, len(lines), LINES_PER_POST):
        body = b"".join(line + b"\n" for line in lines[start : start + LINES_PER_POST])
        yield Request(kind, "POST", "/v1/bookings", {"Content-Type": NDJSON_TYPE}, body)


def _build_item(text: str) -> bytes:
    item = {
        "passenger": "Ada Lovelace",
        "departs_at": "2026-12-24T09:30:00+01:00",
        "seats": 1,
        "price": "129.90",
        "cabin": "economy",
        "airports": ["EDDF", "LPPT"],
        "notes": text,
    }
    return json.dumps(item, ensure_ascii=False).encode()
