"""Collections, item ids and keys that cannot be."""

import pytest

from tests.unit.loopback import Loopback
from tests.unit.requesting import AIRPORT, BOOKING, BOOKING_ID, EDITOR, ask, event

VERSION = "01M83TX6AKPEC90XWTBJRZ90MF"
NOT_A_UUID = [
    "1",
    BOOKING_ID.upper(),
    BOOKING_ID.replace("-", ""),
    f"{{{BOOKING_ID}}}",
    f"urn:uuid:{BOOKING_ID}",
    BOOKING_ID + "0",
    "' OR 1=1 --",
]
NOT_A_KEY = ["EDDB ", "ED/DB", "ED%2FDB", "É", "a\n", "x" * 129, ".", "..", "a'b", 'a"b', "a`b", "a;b", "a\x00b"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "GET"])
@pytest.mark.parametrize("collection", ["nothing", "Bookings", "loaded_batches", "rejected_writes", "bookings`", ""])
def test_an_unknown_collection_is_not_found(stream: Loopback, method: str, collection: str) -> None:
    path = collection if method == "POST" else f"{collection}/{BOOKING_ID}"
    answer = ask(event(method, path, BOOKING))
    assert (answer.status, "collection" in answer.body["detail"]) == (404, True)
    assert stream.requests == []


@pytest.mark.parametrize("resource", ["", "/", "/v1", "/v1/", None])
def test_a_request_without_a_route_is_not_found(resource: str | None) -> None:
    assert ask({**event("POST", "bookings", BOOKING), "resource": resource}).status == 404


@pytest.mark.parametrize("method", ["PUT", "DELETE", "GET"])
@pytest.mark.parametrize("item_id", NOT_A_UUID)
def test_an_id_that_is_no_uuid_is_refused(stream: Loopback, method: str, item_id: str) -> None:
    answer = ask(event(method, f"bookings/{item_id}", BOOKING))
    assert (answer.status, answer.fields) == (400, ["id"])
    assert stream.requests == []


@pytest.mark.parametrize("method", ["PUT", "DELETE", "GET"])
@pytest.mark.parametrize("item_id", NOT_A_KEY, ids=ascii)
def test_an_id_that_is_no_key_is_refused(stream: Loopback, method: str, item_id: str) -> None:
    sent = event(method, "airports", {**AIRPORT, "icao": item_id}, claims=EDITOR)
    answer = ask({**sent, "pathParameters": {"id": item_id}})
    assert (answer.status, answer.fields) == (400, ["id"])
    assert stream.requests == []


@pytest.mark.parametrize("item_id", ["x" * 128, "A.b_c~d-e", "...", ".a", "0"])
def test_an_id_of_unreserved_characters_is_taken(stream: Loopback, item_id: str) -> None:
    assert ask(event("DELETE", f"airports/{item_id}", claims=EDITOR)).status == 202


def test_the_key_in_the_body_is_the_id_in_the_path(stream: Loopback) -> None:
    answer = ask(event("PUT", "airports/EDDF", AIRPORT, claims=EDITOR))
    assert (answer.status, answer.fields) == (422, ["icao"])
    assert ask(event("PUT", "airports/eddb", AIRPORT, claims=EDITOR)).status == 422
    assert stream.requests == []


def test_an_idempotency_key_may_have_255_characters(stream: Loopback) -> None:
    assert ask(event("POST", "bookings", BOOKING, headers={"Idempotency-Key": "k" * 255})).status == 202
    answer = ask(event("POST", "bookings", BOOKING, headers={"Idempotency-Key": "k" * 256}))
    assert (answer.status, answer.fields) == (400, ["Idempotency-Key"])
    assert len(stream.requests) == 1


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "HEAD", "OPTIONS"])
def test_a_method_that_an_item_lacks_is_not_allowed(method: str) -> None:
    answer = ask(event(method, f"bookings/{BOOKING_ID}"), "fallback")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, PUT, DELETE")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_method_that_a_collection_lacks_is_not_allowed(method: str) -> None:
    answer = ask(event(method, "bookings"), "fallback")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, POST")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_a_method_that_a_receipt_lacks_is_not_allowed(method: str) -> None:
    answer = ask(event(method, f"bookings/{BOOKING_ID}/writes/{VERSION}"), "fallback")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET")


@pytest.mark.parametrize("version", ["1", VERSION.lower(), VERSION[:-1], f"{VERSION}0", "U" * 26, "8" + VERSION[1:]])
def test_a_receipt_has_a_version(stream: Loopback, version: str) -> None:
    answer = ask(event("GET", f"bookings/{BOOKING_ID}/writes/{version}"))
    assert (answer.status, answer.fields) == (400, ["version"])
    assert stream.requests == []


def test_a_receipt_is_of_an_item_of_a_collection(stream: Loopback) -> None:
    assert ask(event("GET", f"bookings/1/writes/{VERSION}")).fields == ["id"]
    assert ask(event("GET", f"nothing/1/writes/{VERSION}")).status == 404
    assert ask(event("GET", f"bookings/{BOOKING_ID}/writes/{VERSION}", claims=None)).status == 401
    assert stream.requests == []


@pytest.mark.parametrize("resource", ["/{proxy+}", "/", ""])
def test_another_path_is_not_found(resource: str) -> None:
    answer = ask({**event("GET", "bookings"), "resource": resource, "pathParameters": {"proxy": "x"}}, "fallback")
    assert (answer.status, "Allow" in answer.headers) == (404, False)
