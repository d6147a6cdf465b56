"""Many items in one POST, over HTTP: exactly the good lines arrive, the bad ones are named."""

import json
import random
from collections.abc import Iterable
from typing import Any
from uuid import uuid4

import httpx
import pytest

from local.stack import Stack
from tests.stack.conftest import Person
from tests.stack.faults import firehose_fault
from tests.stack.samples import airport, booking
from tests.stack.waiting import eventually

pytestmark = pytest.mark.stack("first")

LINES, AT_ONCE, BAD = 10_000, 500, 100


def post(client: httpx.Client, path: str, lines: Iterable[str], **headers: str) -> httpx.Response:
    return client.post(
        path, content="\n".join(lines).encode(), headers={"Content-Type": "application/x-ndjson", **headers}
    )


def rows(connection: Any, marker: str) -> dict[str, tuple[str, str]]:
    """Passenger and version of what a marked passenger booked, by id."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, passenger, version FROM bookings WHERE passenger LIKE %s AND NOT deleted", (f"{marker} %",)
        )
        return {str(row[0]): (row[1], row[2]) for row in cursor.fetchall()}


def test_ten_thousand_lines_of_which_some_are_bad(stack: Stack, person: Person, replica: Any) -> None:
    marker, ada = uuid4().hex, person("ada")
    bad = set(random.Random(5).sample(range(LINES), BAD))
    faults: list[str] = ["{", '{"passenger": 1}', json.dumps(booking(seats=10))]
    lines = [
        faults[at % len(faults)] if at in bad else json.dumps(booking(passenger=f"{marker} {at}"))
        for at in range(LINES)
    ]
    accepted: dict[str, tuple[str, str]] = {}
    refused: set[int] = set()
    # On the way every second record of some puts is not taken at first.
    with firehose_fault(stack, {"fail_puts": 10, "fail_share": 0.5}):
        for start in range(0, LINES, AT_ONCE):
            answer = post(ada, "/v1/bookings", lines[start : start + AT_ONCE])
            assert answer.status_code == (207 if bad & set(range(start, start + AT_ONCE)) else 202)
            body = answer.json()
            assert [line["line"] for line in body["lines"]] == list(range(1, AT_ONCE + 1))
            for line in body["lines"]:
                at = start + line["line"] - 1
                if line["status"] == 202:
                    accepted[line["id"]] = (f"{marker} {at}", line["version"])
                else:
                    assert line["status"] == 422
                    refused.add(at)
    assert refused == bad
    assert len(accepted) == LINES - BAD
    eventually(lambda: len(rows(replica, marker)) >= len(accepted))
    assert rows(replica, marker) == accepted


def test_the_last_of_many_lines_to_one_item_holds(person: Person, machine: httpx.Client) -> None:
    lines = [json.dumps(airport("TMNY", city=f"city {number}")) for number in range(300)]
    answer = post(machine, "/v1/airports", lines)
    assert answer.status_code == 202
    last = answer.json()["lines"][-1]
    found = eventually(lambda: machine.get("/v1/airports/TMNY", params={"version": last["version"]}).json().get("data"))
    assert found["city"] == "city 299"
    assert machine.get(f"/v1/{last['receipt']}").json()["status"] == "applied"
    first = answer.json()["lines"][0]
    assert machine.get(f"/v1/{first['receipt']}").json()["superseded_by"] == last["version"]
    assert post(person("eve"), "/v1/airports", lines).status_code == 403


def test_lines_that_firehose_does_not_take_are_never_202(stack: Stack, person: Person, replica: Any) -> None:
    marker, ada, key = uuid4().hex, person("ada"), uuid4().hex
    # Three records, of which each put loses one and more: what is tried often enough goes through or is told.
    lines = [json.dumps(booking(passenger=f"{marker} {at}", notes="x" * 1900)) for at in range(120)]
    with firehose_fault(stack, {"fail_share": 0.99}):
        some = post(ada, "/v1/bookings", lines, **{"Idempotency-Key": key})
    with firehose_fault(stack, {}):
        none = post(ada, "/v1/bookings", lines, **{"Idempotency-Key": key})
    assert (some.status_code, none.status_code) == (207, 503)
    assert int(none.headers["Retry-After"]) > 0
    assert none.headers["Content-Type"] == "application/problem+json"
    assert {line["status"] for line in some.json()["lines"]} == {202, 503}
    assert {line["status"] for line in none.json()["lines"]} == {503}
    taken = {line["id"] for line in some.json()["lines"] if line["status"] == 202}
    eventually(lambda: len(rows(replica, marker)) >= len(taken))
    assert rows(replica, marker).keys() == taken
    # The same again, with its key: no line is there twice.
    assert post(ada, "/v1/bookings", lines, **{"Idempotency-Key": key}).status_code == 202
    eventually(lambda: len(rows(replica, marker)) >= len(lines))
    assert sorted(found[0] for found in rows(replica, marker).values()) == sorted(f"{marker} {at}" for at in range(120))
