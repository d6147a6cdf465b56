"""How long a client would wait, however it says so."""

import pytest

from sluice.http.api_gateway import parse_request
from sluice.http.request import parse_preferred_wait


def prefer(value: str, *more: str) -> int | None:
    lines = {"multiValueHeaders": {"prefer": [value, *more]}} if more else {}
    return parse_preferred_wait(parse_request({"headers": {"Prefer": (value, *more)[-1]}, **lines}))


@pytest.mark.parametrize(
    "value",
    [
        "wait=10",
        "Wait = 10",
        'wait="10"',
        "respond-async, wait=10",
        'foo="a, wait=3", wait=10;x=y',
        "wait=10, wait=20",
        "wait=010;wait=3",
        r'foo="\", wait=3" , WAIT=10',
    ],
)
def test_a_wait_is_understood(value: str) -> None:
    assert prefer(value) == 10


@pytest.mark.parametrize(
    "value",
    [
        "",
        "wait",
        "wait=",
        "wait=ten",
        "wait=-1",
        "wait=1.5",
        "wait=٣",
        "await=5",
        "waits=5",
        'foo="wait=5"',
        '"',
        "wait=x, wait=5",
    ],
)
def test_anything_else_is_passed_over(value: str) -> None:
    assert prefer(value) is None


def test_no_wait_is_a_wait_too_and_a_long_one_is_a_number() -> None:
    assert prefer("wait=0") == 0
    assert (prefer("wait=" + "9" * 5000) or 0) > 10**8


def test_preferences_may_stand_in_several_lines() -> None:
    assert prefer("wait=7", "respond-async") == 7
    assert parse_preferred_wait(parse_request({"headers": None})) is None
