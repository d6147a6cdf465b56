"""A body that is no such item is refused with a problem document that names the field, and nothing is written."""

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sluice.model.record import MAX_RECORD_BYTES
from tests.unit.loopback import Loopback
from tests.unit.requesting import AIRPORT, BOOKING, BOOKING_ID, EDITOR, ask, event


@pytest.fixture(autouse=True)
def _nothing_is_written(stream: Loopback) -> Iterator[None]:
    yield
    assert stream.requests == []


FIELDS = [
    ("passenger", 7, "passenger"),
    ("passenger", None, "passenger"),
    ("passenger", "", "passenger"),
    ("passenger", "x" * 121, "passenger"),
    ("departs_at", "2026-12-24T08:15:00", "departs_at"),
    ("departs_at", "2026-13-24T08:15:00Z", "departs_at"),
    ("departs_at", 1735000000, "departs_at"),
    ("departs_at", "9999-12-31T23:59:59-01:00", "departs_at"),
    ("departs_at", "0001-01-01T00:00:00+01:00", "departs_at"),
    ("seats", "2", "seats"),
    ("seats", 2.5, "seats"),
    ("seats", 0, "seats"),
    ("seats", 10, "seats"),
    ("seats", True, "seats"),
    ("price", "1.999", "price"),
    ("price", "123456789.00", "price"),
    ("price", "NaN", "price"),
    ("price", "-Infinity", "price"),
    ("price", "1E+9999999", "price"),
    ("price", "1E-9999999", "price"),
    ("price", "many", "price"),
    ("cabin", "roof", "cabin"),
    ("airports", "EDDB", "airports"),
    ("airports", ["EDDB"], "airports"),
    ("airports", ["EDDB", 5], "airports[1]"),
    ("airports", ["EDDB", "LF"], "airports[1]"),
    ("notes", "x" * 2001, "notes"),
    ("born_on", "1815-02-30", "born_on"),
    ("born_on", "1815-12-10T00:00:00Z", "born_on"),
    ("colour", "red", "colour"),
    ("id", BOOKING_ID, "id"),
    ("version", "x", "version"),
]


@pytest.mark.parametrize(("field", "value", "named"), FIELDS, ids=[f"{f}={v!r:.30}" for f, v, _ in FIELDS])
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_faulty_field_is_named(method: str, field: str, value: object, named: str) -> None:
    path = "bookings" if method == "POST" else f"bookings/{BOOKING_ID}"
    answer = ask(event(method, path, {**BOOKING, field: value}))
    assert (answer.status, answer.fields) == (422, [named])
    assert answer.body["detail"].startswith(f"{named}: ")


@pytest.mark.parametrize("field", sorted(BOOKING))
def test_a_missing_field_is_named(field: str) -> None:
    answer = ask(event("POST", "bookings", {name: BOOKING[name] for name in BOOKING if name != field}))
    assert (answer.status, answer.fields) == (422, [field])


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1" + "0" * 400])
def test_a_number_out_of_range_is_named(number: str) -> None:
    body = json.dumps(AIRPORT).replace("52.36", number)
    answer = ask(event("PUT", "airports/EDDB", body, claims=EDITOR))
    assert (answer.status, answer.fields) == (422, ["lat"])


NOT_JSON = [
    "{",
    "no",
    '{"passenger": NaN}',
    '{"passenger": "\\ud83d"}',
    '{"passenger": "\ud83d"}',
    "{'passenger': 1}",
    json.dumps(BOOKING) + "{}",
    json.dumps(BOOKING)[:-1] + ",}",
]


@pytest.mark.parametrize("body", NOT_JSON, ids=[ascii(body[:24]) for body in NOT_JSON])
def test_what_is_not_json_is_a_bad_request(body: str) -> None:
    assert ask(event("POST", "bookings", body)).status == 400


@pytest.mark.parametrize("body", [None, "", " \n\t "])
def test_an_empty_body_is_a_bad_request(body: str | None) -> None:
    answer = ask(event("POST", "bookings", body))
    assert (answer.status, "empty" in answer.body["detail"]) == (400, True)


@pytest.mark.parametrize("body", ["[]", "null", '"text"', "5"])
def test_what_is_no_object_is_refused(body: str) -> None:
    answer = ask(event("POST", "bookings", body))
    assert (answer.status, "object" in answer.body["detail"]) == (422, True)


@pytest.mark.parametrize("media", ["text/plain", "application/ndjson", "multipart/form-data; boundary=x", "json", ""])
def test_another_content_type_is_refused(media: str) -> None:
    assert ask(event("POST", "bookings", BOOKING, headers={"content-type": media, "Content-Type": media})).status == 415


def test_only_a_post_takes_many_lines() -> None:
    sent = event("PUT", f"bookings/{BOOKING_ID}", BOOKING, headers={"Content-Type": "application/x-ndjson"})
    assert ask(sent).status == 415


@pytest.mark.parametrize("text", ["=", "abc", "b\u00e4se", "{}"])
def test_broken_base64_is_a_bad_request(text: str) -> None:
    assert ask(event("POST", "bookings", text, base64=True)).status == 400


def test_bytes_that_are_no_text_are_a_bad_request() -> None:
    text = base64.b64encode(b'{"passenger": "\xff\xfe"}').decode()
    assert ask(event("POST", "bookings", text, base64=True)).status == 400


def test_a_body_above_the_limit_is_too_large() -> None:
    body = json.dumps(BOOKING).ljust(MAX_RECORD_BYTES + 1)
    assert ask(event("POST", "bookings", body)).status == 413
    assert ask(event("POST", "bookings", base64.b64encode(body.encode()).decode(), base64=True)).status == 413


def test_bytes_are_what_counts_not_characters() -> None:
    body = json.dumps({**BOOKING, "notes": "ä" * (MAX_RECORD_BYTES // 2)}, ensure_ascii=False)
    assert len(body) < MAX_RECORD_BYTES
    assert ask(event("POST", "bookings", body)).status == 413


@pytest.mark.parametrize("charset", ["latin1", "ISO-8859-1", '"utf-16"', "", "utf-8x"])
@pytest.mark.parametrize("media", ["application/json", "application/x-ndjson", "application/vnd.x+json"])
def test_json_is_in_utf_8(media: str, charset: str) -> None:
    """What latin1 means is UTF-8 too now and then, and something else."""
    body = json.dumps(BOOKING, ensure_ascii=False)
    answer = ask(event("POST", "bookings", body, headers={"Content-Type": f"{media}; Charset = {charset}"}))
    assert (answer.status, answer.fields) == (415, ["Content-Type"])


@pytest.mark.parametrize("name", ["a\nAda - at `$.x", "`", "Ada` - at `$.seats", "Ada` - at `key` in `$.y"])
def test_a_name_that_nobody_knows_is_in_no_log(lines: Callable[[], list[dict[str, Any]]], name: str) -> None:
    answer = ask(event("POST", "bookings", {**BOOKING, name: 1}))
    assert answer.status == 422
    assert answer.fields != []
    (line,) = lines()
    assert line["problem"] == []
