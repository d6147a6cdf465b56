"""What is accepted reaches the stream as one write, and the client holds its receipt."""

import datetime
import json
import uuid
from decimal import Decimal
from urllib.parse import urljoin

import pytest

from sluice.model import versions
from sluice.model.record import decode_write
from tests.unit.loopback import Loopback
from tests.unit.requesting import AIRPORT, ALICE, BOOKING, BOOKING_ID, EDITOR, ask, event, lines_event

REQUEST_ID = "6f0a7f4e-2b1c-4d3e-8f9a-0b1c2d3e4f50"


def test_a_put_is_on_the_stream_before_it_is_answered(stream: Loopback) -> None:
    before = datetime.datetime.now(datetime.UTC)
    answer = ask(event("PUT", f"bookings/{BOOKING_ID}", BOOKING))
    (request,) = stream.requests
    assert (request.operation, request.body["DeliveryStreamName"]) == ("PutRecord", "writes")
    (line,) = request.records
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    write = decode_write(line)
    assert (write.collection, write.id, write.operation, write.owner, write.schema) == (
        "bookings",
        BOOKING_ID,
        "put",
        ALICE["sub"],
        1,
    )
    assert before <= write.accepted_at <= datetime.datetime.now(datetime.UTC)
    assert answer.status == 202
    receipt = f"{BOOKING_ID}/writes/{write.version}"
    assert answer.body == {"id": BOOKING_ID, "version": write.version, "status": "pending", "receipt": receipt}
    assert answer.headers["Location"] == BOOKING_ID
    assert answer.headers["Link"] == f'<{receipt}>; rel="status"'
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Retry-After"] == "60"


@pytest.mark.parametrize(
    ("sent", "recorded"), [(REQUEST_ID, REQUEST_ID), ("", None), ("an/id", None), ("x" * 65, None)]
)
def test_a_record_names_its_request(stream: Loopback, sent: str, recorded: str | None) -> None:
    """An id that API Gateway would not make is left out: a record that is no write would be lost."""
    for request, lines in (
        (event("PUT", f"airports/{AIRPORT['icao']}", AIRPORT, claims=EDITOR), 1),
        (event("DELETE", "airports/EDDF", claims=EDITOR), 1),
        (event("POST", "airports", AIRPORT, claims=EDITOR), 1),
        (lines_event("airports", [AIRPORT, AIRPORT], claims=EDITOR), 2),
    ):
        stream.reset()
        request["requestContext"]["requestId"] = sent
        assert ask(request).status == 202
        records = b"".join(record for received in stream.requests for record in received.records).splitlines()
        assert [decode_write(record).request_id or None for record in records] == [recorded] * lines


def test_the_data_of_a_write_is_canonical(stream: Loopback) -> None:
    ask(event("POST", "bookings", {**BOOKING, "price": 1e2, "notes": None, "voucher": "Straße\u0000\t"}))
    data = json.loads(bytes(decode_write(stream.requests[0].records[0]).data))
    assert data["departs_at"] == "2026-12-24T07:15:00Z"
    assert Decimal(data["price"]) == 100
    assert "e" not in data["price"].lower()
    assert data["voucher"] == "Straße\u0000\t"
    assert data.keys() == {*BOOKING, "voucher"}


def test_a_default_that_was_left_out_is_written(stream: Loopback) -> None:
    ask(event("PUT", "airports/EDDB", AIRPORT, claims=EDITOR))
    data = json.loads(bytes(decode_write(stream.requests[0].records[0]).data))
    assert data == {**AIRPORT, "iata": "", "city": "", "subd": "", "lid": ""}


def test_a_write_to_a_shared_collection_has_no_owner(stream: Loopback) -> None:
    assert ask(event("PUT", "airports/EDDB", AIRPORT, claims=EDITOR)).status == 202
    assert decode_write(stream.requests[0].records[0]).owner == ""


def test_a_delete_has_no_data(stream: Loopback) -> None:
    assert ask(event("DELETE", f"bookings/{BOOKING_ID}")).status == 202
    (line,) = stream.requests[0].records
    write = decode_write(line)
    assert (write.operation, bytes(write.data), write.owner) == ("delete", b"null", ALICE["sub"])
    assert json.loads(line)["data"] is None


def test_a_post_chooses_an_id(stream: Loopback) -> None:
    first, second = (ask(event("POST", "bookings", BOOKING)) for _ in range(2))
    assert uuid.UUID(first.body["id"]).version == 7
    assert first.body["id"] != second.body["id"]
    assert first.headers["Location"] == f"bookings/{first.body['id']}"
    assert decode_write(stream.requests[0].records[0]).id == first.body["id"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("POST", "airports", AIRPORT), ("PUT", "airports/EDDB", AIRPORT), ("DELETE", "airports/EDDB", None)],
)
def test_the_references_of_an_answer_lead_to_the_item_and_its_receipt(
    stream: Loopback, method: str, path: str, body: object
) -> None:
    answer = ask(event(method, path, body, claims=EDITOR))
    request_url, item = f"https://host/live/v1/{path}", "https://host/live/v1/airports/EDDB"
    assert urljoin(request_url, answer.headers["Location"]) == item
    assert urljoin(request_url, answer.body["receipt"]) == f"{item}/writes/{answer.body['version']}"
    assert answer.headers["Link"] == f'<{answer.body["receipt"]}>; rel="status"'


def test_a_post_takes_the_id_from_the_natural_key(stream: Loopback) -> None:
    answer = ask(event("POST", "airports", AIRPORT, claims=EDITOR, headers={"Idempotency-Key": "again"}))
    assert (answer.status, answer.body["id"], answer.headers["Location"]) == (202, "EDDB", "airports/EDDB")


def test_a_post_tried_again_names_the_same_item_with_a_later_version(stream: Loopback) -> None:
    sent = event("POST", "bookings", BOOKING, headers={"idempotency-KEY": "order 77"})
    first, second = ask(sent), ask(sent)
    assert first.body["id"] == second.body["id"]
    assert first.body["version"] < second.body["version"]
    assert versions.is_version(first.body["version"])


@pytest.mark.parametrize("media", ["application/json; charset=utf-8", "application/vnd.x+json", "APPLICATION/JSON"])
def test_a_json_type_is_taken(stream: Loopback, media: str) -> None:
    assert ask(event("POST", "bookings", BOOKING, headers={"Content-Type": media})).status == 202


def test_without_a_content_type_a_body_is_json(stream: Loopback) -> None:
    sent = event("POST", "bookings", BOOKING)
    del sent["headers"]["Content-Type"]
    assert ask(sent).status == 202
    assert ask({**sent, "headers": None}).status == 202
