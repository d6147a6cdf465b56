"""A resource with a secret in every field, which may refuse itself with a message that quotes them all."""

import json

RESOURCE = """
import datetime
import enum
import uuid
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from sluice.model.resource import Item, resource


class Part(msgspec.Struct):
    name: str


@resource("vaults", private=True)
class Vault(Item):
    label: Annotated[str, Meta(max_length=40)]
    count: int | None = None
    ratio: float | None = None
    price: Decimal | None = None
    moment: datetime.datetime | None = None
    day: datetime.date | None = None
    token: uuid.UUID | None = None
    tags: list[str] = []
    tree: dict[str, Any] = {}
    part: Part | None = None

    def __post_init__(self) -> None:
        if "odd" in self.tree:
            raise ValueError(f"{self.label}, {self.tags} and {self.tree} are odd")
        if "broken" in self.tree:
            raise RuntimeError(f"{self.label}, {self.tags} and {self.tree} broke this")
"""
MARKER = "ge.heim-7f3a"
NUMBER = 7391846520

ITEM = {
    "label": f"label {MARKER}",
    "count": NUMBER,
    "ratio": NUMBER / 1000,
    "price": f"{NUMBER}.5",
    "moment": "2026-11-23T07:39:18.465207Z",
    "day": "1739-18-46",
    "token": "73918465-2073-4918-a652-073918465207",
    "tags": [MARKER, MARKER],
    "tree": {MARKER: {MARKER: [NUMBER, MARKER]}},
    "part": {"name": MARKER},
}
# Nothing of these may be printed: the texts and the digits.
SECRETS = (MARKER, "heim-7f3a", str(NUMBER), "7391846.52", "2026-11-23T07:39", "1739", "73918465-2073")

VALID = {**ITEM, "day": "1739-11-23"}
FAULTS: dict[str, object] = {
    "a wrong date": ITEM,
    "a value of a wrong type": {**VALID, "label": NUMBER},
    "too long": {**VALID, "label": MARKER * 10},
    "an unknown field": {**VALID, MARKER: 1},
    "an unknown field whose name is a sentence": {**VALID, f"field ` {MARKER} - at `$.x`": 1},
    "a nested fault": {**VALID, "part": {"name": NUMBER}},
    "nested without its field": {**VALID, "part": {MARKER: MARKER}},
    "a decimal": {**VALID, "price": f"{NUMBER}." + "1" * 20},
    "a text for a decimal": {**VALID, "price": MARKER},
    "a text for an id": {**VALID, "token": MARKER},
    "a list": {**VALID, "tags": [MARKER, NUMBER]},
    "too deep": {**VALID, "tree": {MARKER: json.loads("[" * 40 + "]" * 40)}},
    "a fault that quotes": {**VALID, "tree": {"odd": MARKER}},
    "an error that quotes": {**VALID, "tree": {"broken": MARKER}},
    "a list instead": [VALID],
    "no JSON": f'{{"label": {MARKER}',
    "text": MARKER,
}
