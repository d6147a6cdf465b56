"""How long a client would wait, however it says so; and how often is looked meanwhile."""

import itertools

import pytest

from sluice.http.api_gateway import parse_request
from sluice.http.request import parse_preferred_wait
from sluice.query.item import poll_until_present


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


@pytest.mark.parametrize("seconds", [0, 1, 10])
def test_it_is_looked_at_once_then_less_and_less_often_and_at_the_end(
    monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    clock = [100.0]
    looks: list[float] = []
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    monkeypatch.setattr("time.sleep", lambda pause: clock.__setitem__(0, clock[0] + pause))
    assert poll_until_present(lambda: looks.append(clock[0] - 100), seconds) is None
    assert (looks[0], looks[-1]) == (0, seconds)
    pauses = [later - earlier for earlier, later in itertools.pairwise(looks)]
    assert all(0 < pause <= 0.5 for pause in pauses)
    assert len(looks) <= 2 + 10 + seconds * 4
    assert seconds == 0 or pauses[0] <= 0.05


def test_what_is_found_ends_the_waiting(pauses: list[float]) -> None:
    results = iter([None, None, "it"])
    assert poll_until_present(lambda: next(results), 60) == "it"
    assert len(pauses) == 2
