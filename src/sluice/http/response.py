"""An HTTP response, and the answer to a conditional read (RFC 9110, section 13)."""

import base64
import datetime
import hashlib
import re
from dataclasses import dataclass, field
from email.utils import format_datetime
from typing import Any

from sluice.http.problem import PROBLEM_CONTENT_TYPE, Problem
from sluice.http.request import Request


@dataclass(frozen=True)
class Response:
    """An HTTP answer. `body` is JSON, or empty; without a content type there is no body."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"

    def to_proxy_response(self) -> dict[str, Any]:
        """The answer in the shape of API Gateway's Lambda proxy integration."""
        return {
            "statusCode": self.status,
            "headers": ({"Content-Type": self.content_type} if self.content_type else {}) | self.headers,
            "body": self.body.decode(),
            "isBase64Encoded": False,
        }


def problem_response(problem: Problem) -> Response:
    """A problem as its answer."""
    headers = {"Cache-Control": "no-store", **problem.headers}
    return Response(problem.status, problem.to_json(), headers, PROBLEM_CONTENT_TYPE)


# Without the mark of a weak tag, which makes no difference to If-None-Match. A tag may have a comma within.
_TAG = re.compile(r'"[!#-~\x80-\xff]*"')


def apply_if_none_match(request: Request, response: Response) -> Response:
    """The response, which has an ETag; or 304 in its place, when If-None-Match says that the client holds it."""
    held = request.join_header_lines("if-none-match")
    if held.strip() != "*" and response.headers["ETag"] not in _TAG.findall(held):
        return response
    return Response(304, headers=response.headers, content_type="")


def compute_etag(content: bytes) -> str:
    """An ETag for an answer that has no version: two answers have one tag only if they have the same bytes."""
    return f'"{base64.urlsafe_b64encode(hashlib.blake2b(content, digest_size=15).digest()).decode()}"'


def format_http_date(moment: datetime.datetime) -> str:
    """A moment as HTTP's headers have it, in whole seconds."""
    return format_datetime(moment.astimezone(datetime.UTC), usegmt=True)
