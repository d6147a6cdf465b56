"""When a client gets 304 in place of what it holds."""

import pytest

from sluice.http.api_gateway import parse_request
from sluice.http.conditional_requests import apply_if_none_match
from sluice.http.response import Response

RESPONSE = Response(200, b"{}", {"ETag": '"1"'})


def answer(*lines: str) -> int:
    headers = {"If-None-Match": lines[-1]} if lines else {}
    event = {"headers": headers, "multiValueHeaders": {"if-none-MATCH": list(lines)}}
    return apply_if_none_match(parse_request(event), RESPONSE).status


def test_one_line_with_the_etag_is_304() -> None:
    assert [answer('"1"'), answer('"2", "1"'), answer("*"), answer('"2"'), answer()] == [304, 304, 304, 200, 200]


@pytest.mark.parametrize("lines", [('"1"', '"2"'), ('"2"', '"1"'), ('"1"', '"1"'), ("*", '"2"')])
def test_several_lines_count_as_none(lines: tuple[str, ...]) -> None:
    """A cache may keep the answer for a client that sends only one of them."""
    assert answer(*lines) == 200
