"""Conditional reads (RFC 9110, section 13): what a client holds already is not sent again."""

import base64
import datetime
import hashlib
import re
from email.utils import format_datetime

from sluice.api.requests import Request
from sluice.api.responses import Response

# Without the mark of a weak tag, which makes no difference to If-None-Match. A tag may have a comma within.
_TAG = re.compile(r'"[!#-~\x80-\xff]*"')


def unless_held(request: Request, response: Response) -> Response:
    """The response, which has an ETag; or 304 in its place, when If-None-Match says that the client holds it."""
    held = request.listed("if-none-match")
    if held.strip() != "*" and response.headers["ETag"] not in _TAG.findall(held):
        return response
    return Response(304, headers=response.headers, content_type="")


def tag_of(content: bytes) -> str:
    """An ETag for an answer that has no version: two answers have one tag only if they have the same bytes."""
    return f'"{base64.urlsafe_b64encode(hashlib.blake2b(content, digest_size=15).digest()).decode()}"'


def http_date(moment: datetime.datetime) -> str:
    """A moment as HTTP's headers have it, in whole seconds."""
    return format_datetime(moment.astimezone(datetime.UTC), usegmt=True)
