"""Conditional reads (RFC 9110, section 13): a client does not receive again what it has."""

import base64
import datetime
import hashlib
import re
from email.utils import format_datetime

from sluice.http.request import Request, has_several_lines, join_header_lines
from sluice.http.response import Response

# The prefix W/ is left out: If-None-Match compares weakly. A tag may contain a comma.
_HEADER = "if-none-match"
_ETAG = re.compile(r'"[!#-~\x80-\xff]*"')


def apply_if_none_match(request: Request, response: Response) -> Response:
    """Return the response, or 304 in its place if If-None-Match contains its ETag.

    Several lines of the header count as none: API Gateway's cache takes one of them for the key of the response, and
    the 304 would go to a client that has only what that line says.
    """
    if _HEADER not in request.headers:
        return response
    if response.headers["ETag"] not in list_etags(request) and not _matches_everything(request):
        return response
    return Response(304, headers=response.headers, content_type="")


def list_etags(request: Request) -> list[str]:
    """List the ETags of If-None-Match, in their quotes; none if the header occurs more than once."""
    if _HEADER not in request.headers or has_several_lines(request, _HEADER):
        return []
    return _ETAG.findall(join_header_lines(request, _HEADER))


def _matches_everything(request: Request) -> bool:
    return join_header_lines(request, _HEADER).strip() == "*" and not has_several_lines(request, _HEADER)


def compute_etag(content: bytes) -> str:
    """Compute the ETag of a response that has no version: equal tags mean equal bytes."""
    return f'"{base64.urlsafe_b64encode(hashlib.blake2b(content, digest_size=15).digest()).decode()}"'


def format_http_date(time: datetime.datetime) -> str:
    """Format a time for an HTTP header, in whole seconds."""
    return format_datetime(time.astimezone(datetime.UTC), usegmt=True)
