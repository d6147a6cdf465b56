"""What is exactly at a limit is accepted; one more is not."""

import base64
import json
from typing import Annotated, Any

import pytest
from msgspec import Meta

from sluice.http.problem import Problem
from sluice.http.request import Caller
from sluice.ingest.accept import WriteContext, accept_write
from sluice.ingest.item_body import decode_item
from sluice.model.record import MAX_RECORD_BYTES, decode_write
from sluice.model.resource import Item, create_resource
from tests.unit.loopback import Loopback
from tests.unit.requesting import ALICE, BOOKING, ask, event

CALLER = Caller("owner", frozenset())


class Page(Item):
    text: str


PAGES = create_resource(Page, "pages", private=True)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("passenger", "ä" * 120),
        ("passenger", "🛫" * 120),
        ("notes", "x" * 2000),
        ("seats", 9),
        ("price", "12345678.99"),
        ("price", "-12345678.99"),
        ("price", "00000001.99"),
        ("price", 1e2),
        ("price", -0.0),
        ("price", 0),
        ("airports", ["EDDB"] * 8),
        ("departs_at", "9999-12-31T23:59:59.999999Z"),
        ("departs_at", "0001-01-01T00:00:00Z"),
        ("born_on", "0001-01-01"),
    ],
)
def test_a_value_at_its_limit_is_accepted(stream: Loopback, field: str, value: object) -> None:
    assert ask(event("POST", "bookings", {**BOOKING, field: value})).status == 202
    assert len(stream.requests) == 1
    # What the API accepted, the transform must take.
    assert len(stream.requests[0].records[0]) < 5000
    decode_write(stream.requests[0].records[0])


def test_a_body_of_exactly_the_limit_is_accepted(stream: Loopback) -> None:
    body = json.dumps(BOOKING).ljust(MAX_RECORD_BYTES)
    assert ask(event("POST", "bookings", body)).status == 202
    assert ask(event("POST", "bookings", base64.b64encode(body.encode()).decode(), base64=True)).status == 202
    assert len(stream.requests) == 2


def test_a_record_of_exactly_the_limit_is_accepted(stream: Loopback, write_context: WriteContext) -> None:
    accept_write(write_context, PAGES, CALLER, "id", Page(text=""), request_id="")
    # The time of acceptance may lose its trailing zeros: fixed parts only.
    write = stream.requests[0].records[0]
    stamp = len(json.loads(write)["accepted_at"]) - len("2026-11-23T10:00:00.123456Z")
    room = MAX_RECORD_BYTES - (len(write) - stamp)
    stream.reset()
    for _ in range(3):  # one in a million has a shorter time
        accept_write(write_context, PAGES, CALLER, "id", Page(text="x" * room), request_id="")
    assert max(len(request.records[0]) for request in stream.requests) == MAX_RECORD_BYTES


def test_a_record_above_the_limit_is_too_large(stream: Loopback, write_context: WriteContext) -> None:
    with pytest.raises(Problem) as refused:
        accept_write(write_context, PAGES, CALLER, "id", Page(text="x" * (MAX_RECORD_BYTES - 100)), request_id="")
    assert refused.value.status == 413
    assert stream.requests == []


class Tree(Item):
    tree: dict[str, Any]
    keys: dict[Annotated[str, Meta(max_length=3)], int] = {}


TREES = create_resource(Tree, "trees", private=True)


def nested(levels: int) -> bytes:
    return b'{"tree": {"a": ' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}}"


def test_json_may_nest_31_levels(write_context: WriteContext) -> None:
    item = decode_item(nested(31), TREES)
    assert (
        accept_write(write_context, TREES, Caller(ALICE["sub"], frozenset()), "id", item, request_id="").status == 202
    )


@pytest.mark.parametrize("levels", [32, 500, 5000])
def test_json_may_nest_no_deeper(levels: int) -> None:
    with pytest.raises(Problem, match="31 levels") as refused:
        decode_item(nested(levels), TREES)
    assert (refused.value.status, refused.value.faults[0].field) == (422, "tree")


def test_a_body_nested_without_end_is_a_bad_request() -> None:
    with pytest.raises(Problem, match="too deeply") as refused:
        decode_item(nested(200_000), TREES)
    assert refused.value.status == 400


def test_a_faulty_key_of_an_object_names_the_field() -> None:
    with pytest.raises(Problem) as refused:
        decode_item(b'{"tree": {}, "keys": {"long": 1}}', TREES)
    assert refused.value.faults[0].field == "keys"


def test_a_faulty_value_of_an_object_names_the_field() -> None:
    with pytest.raises(Problem) as refused:
        decode_item(b'{"tree": {}, "keys": {"abc": "MARKER"}}', TREES)
    assert refused.value.faults[0].field == "keys[...]"
