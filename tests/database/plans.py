"""Random plans for loads: writes to a few items, divided into batches, delivered to two loaders, with failures."""

import datetime
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

import msgspec
from hypothesis import strategies as st
from ulid import ULID

from sluice.model.record import Write
from tests.database.shaky import Mishap
from tests.database.things import CODES, THINGS, delete, put

Item = tuple[str, str, str]  # collection, owner, id

IDS = [str(uuid.UUID("01900000-0000-7000-8000-000000000001")), str(uuid.UUID("f47ac10b-58cc-4372-a567-0e02b2c3d479"))]
# Items whose order as text is not the table's order: `!` sorts before the quote that ends a JSON string.
ITEMS = [
    ("things", "alice", IDS[0]),
    ("things", "alice", IDS[1]),
    ("things", "alice!", IDS[0]),
    ("codes", "", "a"),
    ("codes", "", "A"),
]
STRANGER = ("strangers", "alice", IDS[0])

# Why a write is rejected: not at all; by the database; or already by the reader.
Flaw = Literal["none", "value", "shape"]


@dataclass(frozen=True)
class PlannedWrite:
    """A write and its expected result: its values (None for a delete), or why it is rejected."""

    write: Write
    values: Mapping[str, Any] | None
    flaw: Flaw

    @property
    def item(self) -> Item:
        return self.write.collection, self.write.owner, self.write.id

    def __repr__(self) -> str:
        return f"{self.write.operation} {self.item} {self.write.version[-3:]} {self.flaw} {self.values}"


@dataclass(frozen=True)
class Delivery:
    """The delivery of a batch to one of the two loaders, and the failure of the first attempt."""

    batch: int
    loader: int
    mishap: Mishap


@dataclass(frozen=True)
class Plan:
    """Writes; batches as the numbers of their lines' writes; deliveries, each loader's in order."""

    writes: list[PlannedWrite]
    batches: dict[int, list[int]]
    deliveries: list[Delivery]


_AWKWARD = ["NULL", "null", "\\N", "\\", '"', "\\u0041", "\t\n\r\0", "\x0c\x08\x1b", "😀日本", " a ", "a\\tb", "\u2028"]
_TEXT = st.text(st.sampled_from("aZ \\\"/\t\n\r\0\x0c\x08\x1a\x7f'`,%é日😀\ufeff"), max_size=12) | st.sampled_from(
    _AWKWARD
)
_MOMENT = st.datetimes(timezones=st.just(datetime.UTC))
_INT64 = st.integers(-(2**63), 2**63 - 1)
# MariaDB's UUID type refuses the other ones, because it cannot sort them.
_UUID = st.uuids().filter(lambda value: value.bytes[6] < 0x80 or not 0 < value.bytes[8] <= 0x80)
_JSON = st.recursive(
    st.none() | st.booleans() | _INT64 | st.floats(allow_nan=False, allow_infinity=False) | _TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_TEXT, inner, max_size=2),
    max_leaves=4,
)
_THING = st.fixed_dictionaries(
    {"label": _TEXT},
    optional={
        "story": _TEXT,
        "count": _INT64,
        "ratio": st.floats(allow_nan=False, allow_infinity=False),
        "done": st.booleans(),
        "price": st.decimals(Decimal(-999_999_999), Decimal(999_999_999), places=3),
        "day": st.dates(datetime.date(1, 1, 1)),
        "moment": _MOMENT,
        "token": _UUID,
        "colour": st.sampled_from(["red", "green"]),
        "rank": st.sampled_from([1, 2, 3]),
        "tags": st.lists(_TEXT, max_size=2),
        "attributes": st.dictionaries(_TEXT, _JSON, max_size=2),
        "part": st.none() | st.fixed_dictionaries({"name": _TEXT, "weight": st.just(0.1)}),
        "note": st.none() | _TEXT,
        "seen": st.none() | _MOMENT,
        "maybe": st.none() | st.booleans(),
        "number": st.none() | _INT64,
    },
)
_CODE_TEXT = st.none() | _TEXT

# Values that the API refuses, but that older or faulty code could send: the database must refuse them too.
BAD_VALUES: list[dict[str, Any]] = [
    {"label": "x" * 41},
    {"note": "😀" * 21},
    {"count": 2**63},
    {"number": -(2**63) - 1},
    {"price": "1234567890.5"},
    {"amount": "0.125"},
    {"token": "no uuid"},
    {"token": "cda8e189-93f0-8ad1-80a6-109e9e6dbc68"},
    {"colour": "purple"},
]


# Values of another type or form than the column's: the loader itself refuses them.
BAD_SHAPES: list[dict[str, Any]] = [
    {"count": "many"},
    {"count": 0.5},
    {"ratio": "much"},
    {"done": "perhaps"},
    {"day": "2023-02-29"},
    {"moment": "2024-01-01T00:00:00+01:00"},
]


def _without_label(data: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name != "label"}


_VERSIONS = st.integers(0, 15).map(lambda n: str(ULID.from_int((1 << 100) + n)))
_FLAWS: st.SearchStrategy[Flaw] = st.sampled_from(["none", "none", "none", "value", "value", "shape"])


@st.composite
def _writes(draw: st.DrawFn, items: list[Item]) -> PlannedWrite:
    collection, owner, item_id = draw(st.sampled_from(items))
    resource = CODES if collection == "codes" else THINGS
    values: dict[str, Any] | None = None
    flaw: Flaw = "shape" if collection == "strangers" else "none"
    if draw(st.integers(0, 2)) == 0:
        write = delete(item_id, owner, resource)
    else:
        values = {"code": item_id, "text": draw(_CODE_TEXT)} if resource is CODES else draw(_THING)
        write = put(values, item_id, owner, resource)
        if collection == "things":
            flaw = draw(_FLAWS)
            write.data = _flawed(write.data, flaw, draw)
    write.collection = collection
    write.version = draw(_VERSIONS)
    write.accepted_at = draw(_MOMENT)
    return PlannedWrite(write, values, flaw)


def _flawed(data: msgspec.Raw, flaw: Flaw, draw: st.DrawFn) -> msgspec.Raw:
    change: dict[Flaw, Callable[[dict[str, Any]], dict[str, Any]]] = {
        "none": lambda good: good,
        "value": lambda good: good | draw(st.sampled_from(BAD_VALUES)),
        "shape": lambda good: draw(st.sampled_from([_without_label(good), *(good | bad for bad in BAD_SHAPES)])),
    }
    return msgspec.Raw(msgspec.json.encode(change[flaw](msgspec.json.decode(data))))


_MISHAPS: st.SearchStrategy[Mishap] = st.sampled_from(
    ["none", "none", "slow", "killed_in_load", "killed_before_commit", "dies_before_commit", "dies_after_commit"]
)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Every write is in some batch and every batch is delivered; some more than once, all in any order."""
    items = draw(st.lists(st.sampled_from([*ITEMS, STRANGER]), min_size=1, max_size=3, unique=True))
    writes = draw(
        st.lists(
            _writes(items), min_size=1, max_size=8, unique_by=lambda planned: (planned.item, planned.write.version)
        )
    )
    numbers = range(len(writes))
    lines = draw(st.permutations([*numbers, *draw(st.lists(st.sampled_from(numbers), max_size=4))]))
    batches: dict[int, list[int]] = {}
    for line in lines:
        batches.setdefault(draw(st.integers(0, 3)), []).append(line)
    redelivered = draw(st.lists(st.sampled_from(sorted(batches)), max_size=3))
    deliveries = [
        Delivery(batch, draw(st.integers(0, 1)), draw(_MISHAPS))
        for batch in draw(st.permutations([*sorted(batches), *redelivered]))
    ]
    return Plan(writes, batches, deliveries)
