"""Responses of the write functions match the OpenAPI document: those that schemathesis rarely or never produces."""

from typing import Any

import pytest

from tests.contract.documents import create_test_document, describe_mismatch
from tests.unit.loopback import Loopback, error
from tests.unit.requesting import BOOKING, ask, event, lines_event

BAD = {**BOOKING, "seats": 10}


def get_response(path: str, method: str, status: int) -> dict[str, Any]:
    """Look a response up in the document."""
    response: Any = create_test_document()["paths"][path][method]["responses"][str(status)]
    while "$ref" in response:
        response = create_test_document()["components"]["responses"][response["$ref"].rsplit("/", 1)[1]]
    return dict(response)


@pytest.mark.parametrize(
    ("lines", "status"),
    [([BOOKING, BOOKING], 202), ([BOOKING, BAD, "{"], 207), ([BAD, "[]"], 422), (["", " "], 400)],
)
def test_several_items(stream: Loopback, lines: list[Any], status: int) -> None:
    answer = ask(lines_event("bookings", lines))
    assert answer.status == status
    response = get_response("/v1/bookings", "post", status)
    [(media, content)] = response["content"].items()
    assert media == answer.headers["Content-Type"]
    assert describe_mismatch(content["schema"], answer.body) == ""
    assert ("lines" in answer.body) == (status != 400)
    if "lines" in answer.body:
        assert describe_mismatch({"$ref": "#/components/schemas/Lines"}, answer.body) == ""


def test_several_items_that_the_stream_does_not_accept(stream: Loopback) -> None:
    stream.otherwise = error("AccessDeniedException")
    answer = ask(lines_event("bookings", [BOOKING, BAD]))
    assert answer.status == 503
    assert describe_mismatch({"$ref": "#/components/schemas/Lines"}, answer.body) == ""
    _check_headers(answer.headers, get_response("/v1/bookings", "post", 503))


@pytest.mark.parametrize("lines", [None, [BOOKING], [BOOKING, BAD]])
def test_an_accepted_write_has_the_headers_that_are_get_response(stream: Loopback, lines: list[Any] | None) -> None:
    answer = ask(event("POST", "bookings", BOOKING) if lines is None else lines_event("bookings", lines))
    _check_headers(answer.headers, get_response("/v1/bookings", "post", answer.status))


def _check_headers(headers: Any, response: dict[str, Any]) -> None:
    for name, reference in response["headers"].items():
        header = create_test_document()["components"]["headers"][reference["$ref"].rsplit("/", 1)[1]]
        assert name in headers or not header.get("required")
        if name in headers:
            value = int(headers[name]) if header["schema"]["type"] == "integer" else headers[name]
            assert describe_mismatch(header["schema"], value) == ""
