"""The answers of the API functions."""

from dataclasses import dataclass, field
from typing import Any

from sluice.api.problems import CONTENT_TYPE, Problem


@dataclass(frozen=True)
class Response:
    """An HTTP answer. `body` is JSON, or empty; without a content type there is no body."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"

    def as_proxy_answer(self) -> dict[str, Any]:
        """The answer in the shape of API Gateway's Lambda proxy integration."""
        return {
            "statusCode": self.status,
            "headers": ({"Content-Type": self.content_type} if self.content_type else {}) | self.headers,
            "body": self.body.decode(),
            "isBase64Encoded": False,
        }


def of_problem(problem: Problem) -> Response:
    """A problem as its answer."""
    headers = {"Cache-Control": "no-store", **problem.headers}
    return Response(problem.status, problem.document(), headers, CONTENT_TYPE)
