"""Many items in one POST: exactly the valid lines are loaded, and the response names the invalid ones."""

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

LINES, LINES_PER_POST, INVALID = 10_000, 500, 100


def post(client: httpx.Client, path: str, lines: Iterable[str], **headers: str) -> httpx.Response:
    return client.post(
        path, content="\n".join(lines).encode(), headers={"Content-Type": "application/x-ndjson", **headers}
    )


def read_bookings(connection: Any, marker: str) -> dict[str, tuple[str, str]]:
    """Passenger and version of the bookings whose passenger begins with the marker, by id."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, passenger, version FROM bookings WHERE passenger LIKE %s AND NOT deleted", (f"{marker} %",)
        )
        return {str(row[0]): (row[1], row[2]) for row in cursor.fetchall()}


def test_ten_thousand_lines_with_some_invalid_ones(stack: Stack, person: Person, replica: Any) -> None:
    marker, ada = uuid4().hex, person("ada")
    invalid = set(random.Random(5).sample(range(LINES), INVALID))
    faults: list[str] = ["{", '{"passenger": 1}', json.dumps(booking(seats=10))]
    lines = [
        faults[at % len(faults)] if at in invalid else json.dumps(booking(passenger=f"{marker} {at}"))
        for at in range(LINES)
    ]
    accepted: dict[str, tuple[str, str]] = {}
    refused: set[int] = set()
    # Firehose rejects every second record of some puts at first.
    with firehose_fault(stack, {"fail_puts": 10, "fail_share": 0.5}):
        for start in range(0, LINES, LINES_PER_POST):
            response = post(ada, "/v1/bookings", lines[start : start + LINES_PER_POST])
            assert response.status_code == (207 if invalid & set(range(start, start + LINES_PER_POST)) else 202)
            body = response.json()
            assert [line["line"] for line in body["lines"]] == list(range(1, LINES_PER_POST + 1))
            for line in body["lines"]:
                at = start + line["line"] - 1
                if line["status"] == 202:
                    accepted[line["id"]] = (f"{marker} {at}", line["version"])
                else:
                    assert line["status"] == 422
                    refused.add(at)
    assert refused == invalid
    assert len(accepted) == LINES - INVALID
    eventually(lambda: len(read_bookings(replica, marker)) >= len(accepted))
    assert read_bookings(replica, marker) == accepted


def test_the_last_of_many_lines_for_one_item_wins(person: Person, machine: httpx.Client) -> None:
    lines = [json.dumps(airport("TMNY", city=f"city {number}")) for number in range(300)]
    response = post(machine, "/v1/airports", lines)
    assert response.status_code == 202
    last = response.json()["lines"][-1]
    row = eventually(lambda: machine.get("/v1/airports/TMNY", params={"version": last["version"]}).json().get("data"))
    assert row["city"] == "city 299"
    assert machine.get(f"/v1/{last['receipt']}").json()["status"] == "applied"
    first = response.json()["lines"][0]
    assert machine.get(f"/v1/{first['receipt']}").json()["superseded_by"] == last["version"]
    assert post(person("eve"), "/v1/airports", lines).status_code == 403


def test_lines_that_firehose_rejects_are_never_202(stack: Stack, person: Person, replica: Any) -> None:
    marker, ada, key = uuid4().hex, person("ada"), uuid4().hex
    # Three records, and each put loses at least one. A retry succeeds, or the response reports the failure.
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
    accepted = {line["id"] for line in some.json()["lines"] if line["status"] == 202}
    eventually(lambda: len(read_bookings(replica, marker)) >= len(accepted))
    assert read_bookings(replica, marker).keys() == accepted
    # The same POST again with its key: no line is loaded twice.
    assert post(ada, "/v1/bookings", lines, **{"Idempotency-Key": key}).status_code == 202
    eventually(lambda: len(read_bookings(replica, marker)) >= len(lines))
    assert sorted(row[0] for row in read_bookings(replica, marker).values()) == sorted(
        f"{marker} {at}" for at in range(120)
    )
