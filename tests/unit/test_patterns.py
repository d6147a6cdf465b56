"""A pattern matches in the service what it matches in the OpenAPI document."""

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


def find_faulty_fields(annotation: Any, value: Any) -> list[str]:
    """Return the fields that the problem names, for both spellings of the JSON."""
    things = create_resource(create_item_class(("field", annotation)), "things")
    faults: set[tuple[int, str]] = set()
    for text in (json.dumps({"field": value}), json.dumps({"field": value}, ensure_ascii=False)):
        try:
            decode_item(text.encode(), things)
        except Problem as problem:
            faults.update((problem.status, fault.field) for fault in problem.faults)
    assert {status for status, _ in faults} <= {422}
    return [field for _, field in faults]


@pytest.mark.parametrize(
    ("annotation", "good", "bad", "field"),
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
def test_a_pattern_must_match_up_to_the_end(annotation: Any, good: Any, bad: Any, field: str) -> None:
    assert find_faulty_fields(annotation, good) == []
    assert find_faulty_fields(annotation, bad) == [field]


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
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
def test_a_dollar_is_the_end_only_outside_of_classes_and_escapes(pattern: str, matching: str, other: str) -> None:
    assert compile_published_pattern(pattern).search(matching)
    assert not compile_published_pattern(pattern).search(other)


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("bookings", {**BOOKING, "airports": ["EDDB", "LFPG\n"]}, "airports[1]"),
        (f"bookings/{BOOKING_ID}", {**BOOKING, "airports": ["EDDB\n", "LFPG"]}, "airports[0]"),
        ("airports", {**AIRPORT, "icao": "EDDB\n"}, "icao"),
        ("airports/EDDB", {**AIRPORT, "country": "DE\n"}, "country"),
    ],
)
def test_a_line_break_after_a_code_is_rejected(stream: Loopback, path: str, body: object, named: str) -> None:
    answer = ask(event("PUT" if "/" in path else "POST", path, body, claims=EDITOR))
    assert (answer.status, answer.fields) == (422, [named])
    assert stream.requests == []
