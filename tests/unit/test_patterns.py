"""A pattern means to the service what it means to the readers of its contract."""

import dataclasses
import json
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta

from sluice.http.problem import Problem
from sluice.ingest.item_body import decode_item
from sluice.model.resource import create_resource
from sluice.model.validation import compile_published_pattern
from tests.unit.classes import create_item_class
from tests.unit.loopback import Loopback
from tests.unit.requesting import AIRPORT, BOOKING, BOOKING_ID, EDITOR, ask, event

Code = Annotated[str, Meta(pattern="^[A-Z]{2}$")]


class Node(msgspec.Struct):
    name: Code = "AA"
    below: "list[Node]" = []


@dataclasses.dataclass
class Pair:
    left: Code
    right: Code | None = None


def faulty(annotation: Any, value: Any) -> list[str]:
    """The fields that are named when the value is an item's, however its JSON is written."""
    things = create_resource(create_item_class(("field", annotation)), "things")
    named: set[tuple[int, str]] = set()
    for text in (json.dumps({"field": value}), json.dumps({"field": value}, ensure_ascii=False)):
        try:
            decode_item(text.encode(), things)
        except Problem as problem:
            named.update((problem.status, fault.field) for fault in problem.faults)
    assert {status for status, _ in named} <= {422}
    return [field for _, field in named]


@pytest.mark.parametrize(
    ("annotation", "good", "bad", "named"),
    [
        (Code, "AB", "AB\n", "field"),
        (Code | None, "AB", "AB\n", "field"),
        (Code | None, None, "AB\n", "field"),
        (list[Code], ["AB", "CD"], ["AB", "CD\n"], "field[1]"),
        (tuple[Code, ...], ["AB"], ["AB\n"], "field[0]"),
        (tuple[int, Code], [1, "AB"], [1, "AB\n"], "field[1]"),
        (set[Code], ["AB"], ["AB\n"], "field[0]"),
        (dict[str, Code], {"a\n": "AB"}, {"a": "AB\n"}, "field[...]"),
        (dict[Code, int], {"AB": 1}, {"AB\n": 1}, "field[...]"),
        (list[Code | int], [1, "AB"], [1, "AB\n"], "field[1]"),
        (Node, {"below": [{"name": "AB"}]}, {"below": [{}, {"name": "AB\n"}]}, "field.below[1].name"),
        (list[Pair], [{"left": "AB"}], [{"left": "AB", "right": "AB\n"}], "field[0].right"),
        (Annotated[str, Meta(pattern=r"^\d{2}$")], "12", "1\u0662", "field"),
        (Annotated[str, Meta(pattern=r"^[\w-]+$")], "a-1", "é", "field"),
        (Annotated[str, Meta(pattern=r"^\w+$")], "a_1", "a_\u00e9", "field"),
    ],
    ids=str,
)
def test_a_text_fits_its_pattern_to_the_end(annotation: Any, good: Any, bad: Any, named: str) -> None:
    assert faulty(annotation, good) == []
    assert faulty(annotation, bad) == [named]


@pytest.mark.parametrize(
    ("pattern", "fits", "not_so"),
    [
        (r"^a\$$", "a$", "a$\n"),
        (r"^[$]+$", "$", "$\n"),
        (r"^[^$]$", "\n", "$"),
        (r"^[]$]$", "]", "]\n"),
        (r"^a[\]$]$", "a]", "a"),
        (r"^a$|b", "a", "a\n"),
        (r"^\\$", "\\", "\\\n"),
        ("a.c", "ébcabc", "a\nc"),
    ],
)
def test_a_dollar_is_an_end_only_where_it_stands_for_one(pattern: str, fits: str, not_so: str) -> None:
    assert compile_published_pattern(pattern).search(fits)
    assert not compile_published_pattern(pattern).search(not_so)


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("bookings", {**BOOKING, "airports": ["EDDB", "LFPG\n"]}, "airports[1]"),
        (f"bookings/{BOOKING_ID}", {**BOOKING, "airports": ["EDDB\n", "LFPG"]}, "airports[0]"),
        ("airports", {**AIRPORT, "icao": "EDDB\n"}, "icao"),
        ("airports/EDDB", {**AIRPORT, "country": "DE\n"}, "country"),
    ],
)
def test_an_end_of_line_behind_a_code_is_refused(stream: Loopback, path: str, body: object, named: str) -> None:
    answer = ask(event("PUT" if "/" in path else "POST", path, body, claims=EDITOR))
    assert (answer.status, answer.fields) == (422, [named])
    assert stream.asked == []
