"""An HTTP response."""

import msgspec

from sluice.http.problem import PROBLEM_CONTENT_TYPE, Problem

# How old the state in a response may be, as a moment: it stays true while a cache has the response (ADR-0140).
AS_OF_HEADER = "Sluice-As-Of"


class Response(msgspec.Struct, frozen=True):
    """An HTTP response. `body` is JSON unless `content_type` says otherwise. No content type means no body."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = {}
    content_type: str = "application/json"


def create_problem_response(problem: Problem) -> Response:
    """Turn a problem into its response, which no cache may store."""
    headers = {"Cache-Control": "no-store", **problem.headers}
    return Response(problem.status, problem.to_json(), headers, PROBLEM_CONTENT_TYPE)
