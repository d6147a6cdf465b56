"""An Idempotency-Key names the same item, or the same items, at each retry."""

import pytest

from sluice.model.record import decode_write
from tests.unit.loopback import Loopback
from tests.unit.requesting import AIRPORT, BOOKING, EDITOR, Answer, ask, event, lines_event

BAD = {**BOOKING, "seats": 10}


def ids(answer: Answer) -> list[str]:
    return [line["id"] for line in answer.body["lines"] if line["status"] == 202]


def test_a_retry_names_the_same_items_with_later_versions(stream: Loopback) -> None:
    sent = lines_event("bookings", [BOOKING, BAD, BOOKING], headers={"Idempotency-Key": "order 77"})
    first, second = ask(sent), ask(sent)
    assert len(set(ids(first))) == 2
    assert ids(first) == ids(second)
    written = [decode_write(line) for request in stream.requests for line in request.records[0].splitlines()]
    assert [write.id for write in written] == ids(first) * 2
    assert [write.version for write in written] == sorted({write.version for write in written})


def test_a_line_keeps_its_id_when_others_are_mended(stream: Loopback) -> None:
    key = {"Idempotency-Key": "k"}
    first = ask(lines_event("bookings", [BOOKING, BAD, "", BOOKING], headers=key))
    mended = ask(lines_event("bookings", [BOOKING, BOOKING, "", BOOKING], headers=key))
    assert [ids(mended)[0], ids(mended)[2]] == ids(first)


def test_owner_collection_key_and_number_make_the_id(stream: Loopback) -> None:
    key = {"Idempotency-Key": "k"}
    item_ids = [
        *ids(ask(lines_event("bookings", [BOOKING] * 12, headers=key))),
        *ids(ask(lines_event("bookings", [BOOKING] * 12, headers={"Idempotency-Key": "k1"}))),
        *ids(ask(lines_event("bookings", [BOOKING], headers=key, claims=EDITOR))),
        ask(event("POST", "bookings", BOOKING, headers=key)).body["id"],
    ]
    assert len(set(item_ids)) == len(item_ids)


def test_a_natural_key_is_stronger(stream: Loopback) -> None:
    other = {**AIRPORT, "icao": "EDDF"}
    sent = lines_event("airports", [AIRPORT, other, AIRPORT], claims=EDITOR, headers={"Idempotency-Key": "k"})
    assert ids(ask(sent)) == ["EDDB", "EDDF", "EDDB"]


@pytest.mark.parametrize("key", ["", " ", " a", "a ", "ä", "a\tb", "a\nb", "\x7f", "k" * 256])
def test_what_is_no_key_is_refused_by_name(stream: Loopback, key: str) -> None:
    headers = {"Idempotency-Key": key}
    for sent in (
        event("POST", "bookings", BOOKING, headers=headers),
        event("POST", "airports", AIRPORT, headers=headers, claims=EDITOR),
        lines_event("bookings", [BOOKING], headers=headers),
    ):
        answer = ask(sent)
        assert (answer.status, answer.fields) == (400, ["Idempotency-Key"])
    assert stream.requests == []


@pytest.mark.parametrize("key", ["k", "k" * 255, "! ~", '"8e03978e-40d5-43e8-bc93-6894a57f9324"'])
def test_a_key_of_printable_characters_is_taken(stream: Loopback, key: str) -> None:
    headers = {"idempotency-key": key}
    first, second = (ask(event("POST", "bookings", BOOKING, headers=headers)) for _ in range(2))
    assert (first.status, first.body["id"]) == (202, second.body["id"])


def test_a_put_passes_it_over(stream: Loopback) -> None:
    sent = event("PUT", "airports/EDDB", AIRPORT, claims=EDITOR, headers={"Idempotency-Key": ""})
    assert ask(sent).status == 202


def test_a_key_comes_once(stream: Loopback) -> None:
    for sent in (event("POST", "bookings", BOOKING), lines_event("bookings", [BOOKING])):
        kind = {"content-type": sent["headers"]["Content-Type"]}
        twice = {"multiValueHeaders": {"idempotency-KEY": ["a", "b"]}, "headers": {"Idempotency-Key": "b", **kind}}
        answer = ask({**sent, **twice})
        assert (answer.status, answer.fields) == (400, ["Idempotency-Key"])
    assert stream.requests == []
