"""Answers of the write functions, held to the contract's schemas: those that schemathesis seldom or never comes by."""

from typing import Any

import pytest

from tests.contract.documents import create_test_document, describe_mismatch
from tests.unit.loopback import Loopback, error
from tests.unit.requesting import BOOKING, ask, event, lines_event

BAD = {**BOOKING, "seats": 10}


def described(path: str, method: str, status: int) -> dict[str, Any]:
    """What the contract says of an answer."""
    found: Any = create_test_document()["paths"][path][method]["responses"][str(status)]
    while "$ref" in found:
        found = create_test_document()["components"]["responses"][found["$ref"].rsplit("/", 1)[1]]
    return dict(found)


@pytest.mark.parametrize(
    ("lines", "status"),
    [([BOOKING, BOOKING], 202), ([BOOKING, BAD, "{"], 207), ([BAD, "[]"], 422), (["", " "], 400)],
)
def test_many_items(stream: Loopback, lines: list[Any], status: int) -> None:
    answer = ask(lines_event("bookings", lines))
    assert answer.status == status
    said = described("/v1/bookings", "post", status)
    [(media, content)] = said["content"].items()
    assert media == answer.headers["Content-Type"]
    assert describe_mismatch(content["schema"], answer.body) == ""
    assert ("lines" in answer.body) == (status != 400)
    if "lines" in answer.body:
        assert describe_mismatch({"$ref": "#/components/schemas/Lines"}, answer.body) == ""


def test_many_items_that_the_stream_does_not_take(stream: Loopback) -> None:
    stream.otherwise = error("AccessDeniedException")
    answer = ask(lines_event("bookings", [BOOKING, BAD]))
    assert answer.status == 503
    assert describe_mismatch({"$ref": "#/components/schemas/Lines"}, answer.body) == ""
    _has_headers(answer.headers, described("/v1/bookings", "post", 503))


@pytest.mark.parametrize("lines", [None, [BOOKING], [BOOKING, BAD]])
def test_an_accepted_write_has_the_headers_that_are_described(stream: Loopback, lines: list[Any] | None) -> None:
    answer = ask(event("POST", "bookings", BOOKING) if lines is None else lines_event("bookings", lines))
    _has_headers(answer.headers, described("/v1/bookings", "post", answer.status))


def _has_headers(given: Any, said: dict[str, Any]) -> None:
    for name, reference in said["headers"].items():
        header = create_test_document()["components"]["headers"][reference["$ref"].rsplit("/", 1)[1]]
        assert name in given or not header.get("required")
        if name in given:
            value = int(given[name]) if header["schema"]["type"] == "integer" else given[name]
            assert describe_mismatch(header["schema"], value) == ""
