"""Adapt the API functions to API Gateway (REST, Lambda proxy): parse the event, respond to every request."""

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from sluice.http.problem import Problem
from sluice.http.request import Caller, Origin, Request
from sluice.http.response import Response, create_problem_response
from sluice.model.record import MAX_REQUEST_ID_LENGTH
from sluice.observability import Event, add_log_fields, describe_error, instrument_handler, read_request_id

LambdaHandler = Callable[[Event, Any], dict[str, Any]]

_SCOPE_PREFIX = "sluice/"
_CHARSET = re.compile(r';\s*charset\s*=\s*"?([^";\s]*)', re.IGNORECASE)
_REQUEST_ID = re.compile(rf"[A-Za-z0-9-]{{1,{MAX_REQUEST_ID_LENGTH}}}")
_SUBJECT = re.compile(r"[!-~]{1,128}")


def create_api_handler(
    name: str, respond: Callable[[Request], Response], parse: Callable[[Event], Request] | None = None
) -> LambdaHandler:
    """Make the Lambda handler of an API function. It returns a proxy response whatever happens.

    `respond` raises Problem for a request that it rejects. Any other exception becomes a problem 500. `parse` is
    `parse_request` by default.
    """
    parse = parse or parse_request

    def handle(event: Event, _context: Any) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        try:
            request = parse(event)
            add_log_fields(**msgspec.structs.asdict(request.origin))
            response = respond(request)
        except Problem as problem:
            fields["problem"] = problem.loggable_reason()
            response = create_problem_response(problem)
        except Exception as error:  # noqa: BLE001  a client gets a problem document whatever happens
            fields = describe_error(error)
            response = create_problem_response(Problem(500, "Something went wrong on our side."))
        add_log_fields(**fields, status=response.status)
        return _create_proxy_response(response)

    handle.__module__ = f"sluice.handlers.{name}"
    return instrument_handler(handle)


def parse_request(event: Event) -> Request:
    """Parse a proxy event. Raises nothing: see Request for what becomes of an invalid body or token."""
    path = event.get("pathParameters") or {}
    route = event.get("resource") or ""
    headers = _parse_headers(event)
    media_type, charset = _parse_content_type(headers.get("content-type"))
    return Request(
        origin=_parse_origin(event, headers),
        method=event.get("httpMethod") or "",
        route=route,
        collection=_parse_collection(route),
        item_id=path.get("id", ""),
        write_version=path.get("version", ""),
        query=event.get("queryStringParameters") or {},
        query_lines=event.get("multiValueQueryStringParameters") or {},
        headers=headers,
        header_lines=event.get("multiValueHeaders") or {},
        media_type=media_type,
        charset=charset,
        body=_decode_body(event),
        caller=_parse_caller(event),
    )


def _parse_collection(route: str) -> str:
    """Return the collection of a route, which is its second segment: `/v1/{collection}…`."""
    segments = route.split("/", 3)
    return segments[2] if len(segments) > 2 else ""


def parse_route(event: Event) -> Request:
    """Parse only ids, method and route of a proxy event, for a function that looks at nothing else."""
    origin = _parse_origin(event, _parse_headers(event))
    return Request(origin=origin, method=event.get("httpMethod") or "", route=event.get("resource") or "")


def _parse_headers(event: Event) -> dict[str, str]:
    return {name.lower(): value for name, value in (event.get("headers") or {}).items()}


def _parse_origin(event: Event, headers: Mapping[str, str]) -> Origin:
    """Return the ids of a request and the client's address. See ADR-0110 for which of them a client can choose.

    CloudFront appends the client's address to X-Forwarded-For, and API Gateway that of CloudFront, which is also the
    request's source. What stands before is the client's own word.
    """
    request_id = read_request_id(event)
    source = ((event.get("requestContext") or {}).get("identity") or {}).get("sourceIp") or ""
    addresses = [part.strip() for part in headers.get("x-forwarded-for", "").split(",")]
    if addresses[-1] == source:
        addresses.pop()
    return Origin(
        request_id if _REQUEST_ID.fullmatch(request_id) else "",
        headers.get("x-amz-cf-id", ""),
        (addresses[-1] if addresses else "") or source,
    )


def _parse_content_type(value: str | None) -> tuple[str, str]:
    """Return media type and charset, in lower case. A body without a content type is JSON in UTF-8."""
    if value is None:
        return "application/json", "utf-8"
    charset = _CHARSET.search(value)
    return value.split(";", 1)[0].strip().lower(), charset[1].lower() if charset else "utf-8"


def _decode_body(event: Event) -> bytes | None:
    """Return the body's bytes, or None for invalid base64 and for half of a surrogate servers."""
    text = event.get("body")
    if not text:
        return b""
    try:
        return base64.b64decode(text, validate=True) if event.get("isBase64Encoded") else str(text).encode()
    except ValueError:
        return None


def _parse_caller(event: Event) -> Caller | None:
    claims = ((event.get("requestContext") or {}).get("authorizer") or {}).get("claims") or {}
    subject = str(claims.get("sub") or "")
    if not _SUBJECT.fullmatch(subject):
        return None
    groups = _parse_groups(claims.get("cognito:groups"))
    for scope in str(claims.get("scope", "")).split():
        if scope.startswith(_SCOPE_PREFIX):
            groups.add(scope.removeprefix(_SCOPE_PREFIX))
    return Caller(subject, frozenset(groups))


def _parse_groups(claim: Any) -> set[str]:
    """Parse a list claim. API Gateway passes it as one text, joined by commas, or as Java prints it, in brackets."""
    if not claim:
        return set()
    if isinstance(claim, list):
        return {str(group) for group in claim}
    return {group for group in re.split(r"[\s,\[\]]+", str(claim)) if group}


def _create_proxy_response(response: Response) -> dict[str, Any]:
    content_type = {"Content-Type": response.content_type} if response.content_type else {}
    return {
        "statusCode": response.status,
        "headers": content_type | response.headers,
        "body": response.body.decode(),
        "isBase64Encoded": False,
    }
