"""Bad input over HTTP: the right status, always a problem document, and the name of the field if there is one.

API Gateway names the missing fields of a body in the fault of the whole body, whose name is empty.
"""

import json
from typing import Any

import httpx
import pytest

from tests.stack.conftest import Person
from tests.stack.samples import airport, booking

pytestmark = pytest.mark.stack("first")

BAD: list[tuple[str, str, Any, int, str | None]] = [
    ("PUT", "/v1/nowhere/XXXX", {}, 404, None),
    ("GET", "/v1/nowhere", None, 404, None),
    ("GET", "/v2/airports", None, 404, None),
    ("PUT", "/v1/airports/XXXX", {**airport("XXXX"), "colour": "red"}, 422, "colour"),
    ("PUT", "/v1/airports/XXXX", {"icao": "XXXX"}, 422, ""),
    ("PUT", "/v1/airports/XXXX", airport("XXXX", lat="north"), 422, "lat"),
    ("PUT", "/v1/airports/XXXX", airport("XXXX", name="x" * 121), 422, "name"),
    ("PUT", "/v1/airports/XXXX", airport("YYYY"), 422, "icao"),
    ("POST", "/v1/bookings", booking(price="1.005"), 422, "price"),
    ("POST", "/v1/bookings", booking(departs_at="2026-12-24T09:30:00"), 422, "departs_at"),
    ("POST", "/v1/bookings", booking(airports=["EDDF", "x"]), 422, "airports[1]"),
    ("POST", "/v1/bookings", b"{not json", 422, ""),
    ("POST", "/v1/bookings", b"", 422, ""),
    ("POST", "/v1/bookings", json.dumps(booking(notes="x" * 1_100_000)).encode(), 413, None),
    ("PUT", "/v1/bookings/not-a-uuid", booking(), 400, "id"),
    ("PUT", f"/v1/airports/{'x' * 129}", airport("XXXX"), 400, "id"),
    ("PUT", "/v1/airports/a%2Fb", airport("XXXX"), 400, "id"),
    ("GET", "/v1/airports?limit=0", None, 400, "limit"),
    ("GET", "/v1/airports?after=%25", None, 400, "after"),
    ("PATCH", "/v1/airports", {}, 405, None),
    ("POST", "/v1/airports/XXXX", {}, 405, None),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "field"), BAD)
def test_bad_input_gets_a_problem_document(
    machine: httpx.Client, method: str, path: str, body: Any, status: int, field: str | None
) -> None:
    content = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    response = machine.request(method, path, content=content, headers={"Content-Type": "application/json"})
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert [error["field"] for error in problem.get("errors", [])] == ([] if field is None else [field])
    if status == 405:
        assert method not in response.headers["Allow"]


def test_api_gateway_names_every_missing_field(machine: httpx.Client) -> None:
    """It validates before the function does, but no body of another media type."""
    refused = machine.post("/v1/bookings", json={"passenger": "Ada", "seats": 12})
    [error] = refused.json()["errors"]
    assert error["detail"] == '[object has missing required properties (["airports","cabin","departs_at","price"])]'
    lines = machine.post("/v1/bookings", content=b"{}\n", headers={"Content-Type": "application/x-ndjson"})
    assert lines.json()["lines"][0]["errors"][0]["field"] == "passenger"


def test_a_request_without_a_valid_token_is_401(client: Any) -> None:
    for caller in (client(), client("not.a.token")):
        response = caller.get("/v1/airports")
        assert response.status_code == 401
        assert response.headers["Content-Type"] == "application/problem+json"
        assert response.json()["status"] == 401


def test_only_the_group_can_write_and_everybody_can_read(person: Person) -> None:
    rejected = person("ada").put("/v1/airports/TGRP", json=airport("TGRP"))
    assert (rejected.status_code, rejected.headers["Content-Type"]) == (403, "application/problem+json")
    assert person("grace", "editors").put("/v1/airports/TGRP", json=airport("TGRP")).status_code == 202
    assert person("ada").get("/v1/airports").status_code == 200
