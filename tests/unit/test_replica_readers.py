"""The judge of the drills with replicas: which sightings are older than an earlier one, and which answers it counts."""

import random
from collections.abc import Sequence

import httpx
import pytest

from tests.stack.replica_readers import AS_OF, Reader

Sightings = Sequence[tuple[str, str | None]]


def _create_reader(respond: httpx.MockTransport | None = None, *, is_strict: bool = True) -> Reader:
    client = httpx.Client(transport=respond, base_url="http://service")
    return Reader(client, client, "/v1/bookings/1", is_strict=is_strict, chance=random.Random(1))


@pytest.mark.parametrize(
    ("sightings", "steps"),
    [
        ([("A", "1"), ("A", "1"), ("A", "2")], 0),
        ([("A", "2"), ("B", "1"), ("A", "2")], 0),
        ([("A", "2"), ("A", "1")], 1),
        ([("A", "2"), ("A", "1"), ("A", "1")], 2),
        ([("A", None), ("A", "1")], 0),
        # The delete 3 explains that A is gone after 2, and not that 2 is there again.
        ([("A", "2"), ("A", None)], 0),
        ([("A", "2"), ("A", None), ("A", "2")], 1),
        ([("A", "2"), ("A", None), ("A", "4")], 0),
        # No delete explains that it is gone after 4, or that B is gone at all.
        ([("A", "4"), ("A", None)], 1),
        ([("B", "1"), ("B", None)], 1),
    ],
)
def test_a_state_that_is_older_than_an_earlier_one_is_a_step_back(sightings: Sightings, steps: int) -> None:
    reader = _create_reader()
    reader.sightings.extend(sightings)
    assert len(reader.list_steps_back({"A": ["3"]})) == steps


def test_a_strict_reader_sends_the_latest_moment_back_and_notices_an_earlier_one() -> None:
    sent: list[str] = []
    moments = iter(["2026-11-29T10:00:02Z", "2026-11-29T10:00:03Z", "2026-11-29T10:00:01Z"])

    def respond(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers.get(AS_OF, ""))
        return httpx.Response(200, json={"version": "1", "items": []}, headers={AS_OF: next(moments)})

    reader = _create_reader(httpx.MockTransport(respond))
    for _ in range(3):
        reader.read(["AAAA"])
    assert sent == ["", "2026-11-29T10:00:02Z", "2026-11-29T10:00:03Z"]
    assert len(reader.older_moments) == 1


def test_a_list_shows_that_an_airport_between_its_others_is_gone() -> None:
    reader = _create_reader()
    reader._see_list("limit=100", {"items": [{"id": code, "version": "1"} for code in ("A", "B", "D")], "next": "x"})
    reader._see_list("limit=40", {"items": [{"id": code, "version": "1"} for code in ("A", "C")], "next": "x"})
    # B is gone; D is after the page.
    assert reader.list_steps_back({}) == ["B: gone after 1"]


def test_a_reader_counts_what_failed() -> None:
    reader = _create_reader(httpx.MockTransport(lambda _: httpx.Response(503, headers={"Retry-After": "5"})))
    reader.read(["AAAA"])
    [answer] = reader.answers
    assert (answer.status, answer.retry_after, reader.sightings) == (503, "5", [])
