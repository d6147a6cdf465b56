"""A condition on a write is refused, never passed over: it could not be kept."""

import pytest

from tests.unit.loopback import Loopback
from tests.unit.requesting import AIRPORT, BOOKING, BOOKING_ID, EDITOR, ask, event

VERSION = '"01M83TX6AKPEC90XWTBJRZ90MF"'


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "bookings", BOOKING),
        ("PUT", f"bookings/{BOOKING_ID}", BOOKING),
        ("DELETE", f"bookings/{BOOKING_ID}", None),
    ],
)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("If-Match", VERSION),
        ("if-match", "*"),
        ("If-Match", ""),
        ("If-None-Match", "*"),
        ("IF-NONE-MATCH", VERSION),
        ("If-Unmodified-Since", "Wed, 25 Nov 2026 11:00:00 GMT"),
    ],
)
def test_a_condition_is_refused_by_name(
    stream: Loopback, method: str, path: str, body: object, name: str, value: str
) -> None:
    answer = ask(event(method, path, body, headers={name: value}))
    assert (answer.status, [field.lower() for field in answer.fields]) == (400, [name.lower()])
    assert stream.requests == []


def test_all_conditions_are_named(stream: Loopback) -> None:
    headers = {"If-None-Match": "*", "If-Match": VERSION}
    assert ask(event("PUT", f"bookings/{BOOKING_ID}", BOOKING, headers=headers)).fields == ["If-Match", "If-None-Match"]


def test_who_may_not_write_is_told_that_first(stream: Loopback) -> None:
    headers = {"If-Match": VERSION}
    assert ask(event("PUT", "airports/EDDB", AIRPORT, headers=headers)).status == 403
    assert ask(event("PUT", "nothing/EDDB", AIRPORT, headers=headers)).status == 404
    assert ask(event("PUT", "airports/EDDB", AIRPORT, claims=EDITOR, headers=headers)).status == 400


def test_what_only_speeds_up_reads_is_passed_over(stream: Loopback) -> None:
    headers = {"If-Modified-Since": "Wed, 25 Nov 2026 11:00:00 GMT"}
    assert ask(event("PUT", "airports/EDDB", AIRPORT, claims=EDITOR, headers=headers)).status == 202
