"""Who may write what, from the claims that the authorizer hands on."""

from typing import Any

import pytest

from sluice.model.record import decode_write
from tests.unit.loopback import Loopback
from tests.unit.requesting import AIRPORT, BOOKING, BOOKING_ID, EDITOR, ask, event

SUB = "b7e4-somebody"
WRITES = [
    ("POST", "airports", AIRPORT),
    ("PUT", "airports/EDDB", AIRPORT),
    ("DELETE", "airports/EDDB", None),
]


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
@pytest.mark.parametrize(
    "claims",
    [
        {"cognito:groups": "editors"},
        {"cognito:groups": "staff,editors"},
        {"cognito:groups": "staff, editors"},
        {"cognito:groups": "[staff editors]"},
        {"cognito:groups": "[staff, editors]"},
        {"cognito:groups": "[editors]"},
        {"cognito:groups": ["staff", "editors"]},
        {"scope": "sluice/read sluice/write sluice/editors"},
        {"scope": "sluice/editors", "cognito:groups": None},
    ],
    ids=str,
)
def test_a_member_of_the_group_may_write(
    stream: Loopback, method: str, path: str, body: object, claims: dict[str, Any]
) -> None:
    assert ask(event(method, path, body, claims={"sub": SUB, **claims})).status == 202
    assert len(stream.requests) == 1


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"cognito:groups": ""},
        {"cognito:groups": "[]"},
        {"cognito:groups": []},
        {"cognito:groups": "editor"},
        {"cognito:groups": "not-editors"},
        {"cognito:groups": "Editors"},
        {"scope": "editors other/editors sluice/write"},
        {"scope": "sluice/editors2"},
    ],
    ids=str,
)
def test_nobody_else_may(stream: Loopback, method: str, path: str, body: object, claims: dict[str, Any]) -> None:
    answer = ask(event(method, path, body, claims={"sub": SUB, **claims}))
    assert (answer.status, "editors" in answer.body["detail"]) == (403, True)
    assert stream.requests == []


@pytest.mark.parametrize(
    "claims",
    [None, {}, {"sub": ""}, {"sub": None}, {"sub": "two words"}, {"sub": "x" * 129}, {"sub": "ümlaut"}, {"sub": "a\n"}],
    ids=str,
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "bookings"),
        ("PUT", f"bookings/{BOOKING_ID}"),
        ("DELETE", f"bookings/{BOOKING_ID}"),
        ("GET", "bookings"),
    ],
)
def test_without_a_subject_nothing_is_done(
    stream: Loopback, method: str, path: str, claims: dict[str, Any] | None
) -> None:
    answer = ask(event(method, path, BOOKING, claims=claims))
    assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert stream.requests == []


def test_an_authorizer_without_claims_is_no_token() -> None:
    sent = event("POST", "bookings", BOOKING)
    assert ask({**sent, "requestContext": {"authorizer": None}}).status == 401
    assert ask({**sent, "requestContext": {"authorizer": {"claims": None}}}).status == 401
    assert ask({**sent, "requestContext": None}).status == 401


def test_the_owner_is_the_subject_whatever_the_body_says(stream: Loopback) -> None:
    longest = "x" * 128
    assert ask(event("PUT", f"bookings/{BOOKING_ID}", BOOKING, claims={"sub": longest})).status == 202
    assert decode_write(stream.requests[0].records[0]).owner == longest
    assert ask(event("POST", "bookings", {**BOOKING, "owner": "another"})).status == 422


def test_a_private_collection_without_a_group_is_open_to_all(stream: Loopback) -> None:
    assert ask(event("POST", "bookings", BOOKING, claims=EDITOR)).status == 202
