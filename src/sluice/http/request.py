"""An HTTP request: who sends it, its headers, its query parameters and its preferences."""

import re
from collections.abc import Collection, Mapping, Sequence

import msgspec

from sluice.http.problem import invalid_field_problem

_QUOTED = r'"(?:[^"\\]|\\.)*"'
_PREFERENCE = re.compile(rf'(?:[^,"]|{_QUOTED})+')
_WAIT = re.compile(rf"\s*wait\s*=\s*(?P<seconds>{_QUOTED}|[^\s;]*)\s*(?:;.*)?", re.IGNORECASE | re.DOTALL)
_MAX_WAIT_DIGITS = 9


class Caller(msgspec.Struct, frozen=True):
    """The person or machine that sends a request, as its verified token says.

    `groups` holds a person's groups and a machine's scopes, the latter without their prefix `sluice/`.
    """

    subject: str
    groups: frozenset[str]


class Origin(msgspec.Struct, frozen=True):
    """Where a request comes from: API Gateway's id and CloudFront's id of it, and the address that CloudFront saw.

    Each is an empty text if it is unknown.
    """

    request_id: str = ""
    edge_request_id: str = ""
    client_address: str = ""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP request, parsed. Absent path parameters are empty texts.
    `route` is the path with its parameters in braces. `headers` has the last value of each header, by its name in lower
    case; `header_lines` has all values, by the names as sent. `query` and `query_lines` likewise. `media_type` and
    `charset` describe the body and are in lower case. `body` is None if it cannot be decoded. `caller` is None if the
    token has no usable subject.
    """

    origin: Origin = Origin()
    method: str = ""
    route: str = ""
    collection: str = ""
    item_id: str = ""
    write_version: str = ""
    query: Mapping[str, str] = {}
    query_lines: Mapping[str, Sequence[str]] = {}
    headers: Mapping[str, str] = {}
    header_lines: Mapping[str, Sequence[str]] = {}
    media_type: str = "application/json"
    charset: str = "utf-8"
    body: bytes | None = b""
    caller: Caller | None = None


def join_header_lines(request: Request, name: str) -> str:
    """Return all lines of a header that is a list, as one line. `name` is in lower case."""
    lines = [line for sent, lines in request.header_lines.items() if sent.lower() == name for line in lines]
    return ", ".join(lines) or request.headers.get(name, "")


def has_several_lines(request: Request, name: str) -> bool:
    """Whether a header occurs more than once. `name` is in lower case."""
    return sum(len(lines) for sent, lines in request.header_lines.items() if sent.lower() == name) > 1


def read_query_parameters(request: Request, parameters: Collection[str] = ()) -> Mapping[str, str]:
    """Return the query parameters. Raises Problem 400 for one that is not among `parameters`, and for a repeated one.

    To ignore such a parameter would be to answer another question than the client's.
    """
    for name in request.query:
        if name not in parameters:
            raise invalid_field_problem(name, "There is no such parameter here", 400, quotes_client=True)
        if len(request.query_lines.get(name, ())) > 1:
            raise invalid_field_problem(name, "Expected once", 400)
    return request.query


def parse_preferred_wait(request: Request) -> int | None:
    """Return the seconds of the preference `wait` (RFC 7240), or None. An invalid preference is ignored."""
    for preference in _PREFERENCE.findall(join_header_lines(request, "prefer")):
        if wait := _WAIT.fullmatch(preference):  # the first of a name counts
            seconds = wait["seconds"].strip('"')
            return int(seconds.lstrip("0")[:_MAX_WAIT_DIGITS] or 0) if re.fullmatch("[0-9]+", seconds) else None
    return None
