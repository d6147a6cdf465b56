"""The responses that operations share: problem documents, and the headers of responses."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from sluice.http.problem import PROBLEM_CONTENT_TYPE
from sluice.http.response import AS_OF_HEADER
from sluice.openapi.schemas import Schema, schema_reference

ResponseObject = dict[str, Any]
HeaderObject = dict[str, Any]

PROBLEM_SCHEMA: Schema = {
    "title": "Problem",
    "description": "A problem document (RFC 9457).",
    "type": "object",
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "What is wrong, for people."},
        "errors": {
            "type": "array",
            "description": "What is wrong, for each invalid field, parameter or header. An empty name means the body.",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "detail": {"type": "string"}},
                "required": ["field", "detail"],
            },
        },
    },
    "required": ["type", "title", "status", "detail"],
}

_RETRY = "Seconds until the client should retry the request, or read the receipt."

HEADERS: Mapping[str, HeaderObject] = {
    "RetryAfter": {"description": _RETRY, "schema": {"type": "integer", "minimum": 0}},
    "RetryAfterRequired": {"description": _RETRY, "required": True, "schema": {"type": "integer", "minimum": 0}},
    "ETag": {
        "description": "Identifies the state of the response; for `If-None-Match`.",
        "required": True,
        "schema": {"type": "string", "pattern": '^"[^"]+"$'},
    },
    "LastModified": {
        "description": "When the item's latest write was accepted, in whole seconds.",
        "required": True,
        "schema": {"type": "string"},
    },
    "CacheControl": {
        "description": "Which caches may store the response. With `no-cache` or `max-age=0`: after revalidation only.",
        "required": True,
        "schema": {"type": "string"},
    },
    "Vary": {"description": "The request header that the response depends on.", "schema": {"type": "string"}},
    "Location": {
        "description": "The item's address, relative to the request's.",
        "required": True,
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "ReceiptLink": {
        "description": "The receipt's address, relative to the request's, as `<…>; rel=\"status\"` (RFC 8631).",
        "required": True,
        "schema": {"type": "string", "pattern": '^<[^>]+>; rel="status"$'},
    },
    "ReceiptLinkOfOne": {
        "description": "As for other writes, if the request has one item.",
        "schema": {"type": "string", "pattern": '^<[^>]+>; rel="status"$'},
    },
    "ReceiptLinkOfVersion": {
        "description": "As for writes, if the request names a version.",
        "schema": {"type": "string", "pattern": '^<[^>]+>; rel="status"$'},
    },
    "NextLink": {
        "description": "The next page's address, relative to the request's, as `<…>; rel=\"next\"`; the last has none.",
        "schema": {"type": "string", "pattern": '^<[^>]+>; rel="next"$'},
    },
    "AsOf": {
        "description": "The response includes every write that was loaded by this moment, and maybe later ones. It "
        "stays true while a cache has the response. Absent if the moment is unknown.",
        "schema": {"type": "string", "format": "date-time"},
    },
    "PreferenceApplied": {
        "description": "The seconds that the service waits at most, as `wait=10`, if the client sent a preference.",
        "schema": {"type": "string", "pattern": "^wait=[0-9]+$"},
    },
    "Allow": {"description": "The methods of the path.", "required": True, "schema": {"type": "string"}},
    "WWWAuthenticate": {"required": True, "schema": {"type": "string"}},
}


def header_references(*names: str, **renamed: str) -> dict[str, HeaderObject]:
    """Create references to header components, by HTTP name. `renamed` maps other HTTP names to components."""
    http = {
        "CacheControl": "Cache-Control",
        "LastModified": "Last-Modified",
        "PreferenceApplied": "Preference-Applied",
        "AsOf": AS_OF_HEADER,
    }
    components = {http.get(name, name): name for name in names}
    components |= {name.replace("_", "-"): component for name, component in renamed.items()}
    return {name: {"$ref": f"#/components/headers/{component}"} for name, component in components.items()}


def _problem_response(
    status: int, detail: str, *errors: tuple[str, str], **members: dict[str, HeaderObject]
) -> ResponseObject:
    example: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if errors:
        example["errors"] = [{"field": field, "detail": reason} for field, reason in errors]
    return {**members, "content": {PROBLEM_CONTENT_TYPE: {"schema": schema_reference("Problem"), "example": example}}}


_RETRY_HEADERS = {"headers": header_references(Retry_After="RetryAfter")}
_RETRY_REQUIRED_HEADERS = {"headers": header_references(Retry_After="RetryAfterRequired")}

# By status: the component's name, when it occurs, and the response. The service sends no other errors.
PROBLEM_RESPONSES: Mapping[int, tuple[str, str, ResponseObject]] = {
    400: (
        "BadRequest",
        "The request is invalid: an invalid id, an unknown parameter, or a query that no index answers.",
        _problem_response(400, "limit: Expected a number from 1 to 500", ("limit", "Expected a number from 1 to 500")),
    ),
    401: (
        "Unauthorized",
        "There is no token, or it has expired, is for another purpose, or lacks the scope.",
        _problem_response(
            401,
            "The token is missing, has expired, or does not cover this method.",
            headers=header_references(WWW_Authenticate="WWWAuthenticate"),
        ),
    ),
    403: (
        "Forbidden",
        "The caller lacks permission or a required client key, or a firewall rule blocks the request.",
        _problem_response(403, "This caller may not do that."),
    ),
    404: (
        "NotFound",
        "There is no such item, or it is deleted, or it belongs to another owner.",
        _problem_response(404, "There is no such item.", headers=header_references("AsOf")),
    ),
    405: (
        "MethodNotAllowed",
        "The path does not support this method. Every path responds so to methods that it does not describe.",
        _problem_response(405, "This path takes GET, not PATCH.", headers=header_references("Allow")),
    ),
    413: (
        "ContentTooLarge",
        "The item is too large for one record of the stream.",
        _problem_response(413, "An item's record may have at most 1024000 bytes."),
    ),
    415: (
        "UnsupportedMediaType",
        "The body has another media type.",
        _problem_response(415, "The body must be application/json, not text/plain."),
    ),
    422: (
        "UnprocessableContent",
        "The body is not a valid item in JSON.",
        _problem_response(422, "name: Expected `str`, got `int`", ("name", "Expected `str`, got `int`")),
    ),
    425: (
        "TooEarly",
        "No replica has the requested version, or the moment of `Sluice-As-Of`, yet. A receipt shows a write's state.",
        _problem_response(
            425,
            "The replica does not have this version of the item yet.",
            headers=header_references(
                "PreferenceApplied", Retry_After="RetryAfterRequired", Link="ReceiptLinkOfVersion"
            ),
        ),
    ),
    429: (
        "TooManyRequests",
        "More requests than the service or this caller's quota allows.",
        _problem_response(
            429, "More requests than this service takes at a time. Try again later.", **_RETRY_REQUIRED_HEADERS
        ),
    ),
    500: (
        "InternalServerError",
        "An error of the service. A write with this response may have been accepted.",
        _problem_response(500, "Something went wrong on our side.", **_RETRY_HEADERS),
    ),
    503: (
        "ServiceUnavailable",
        "Not possible at the moment: the write is certainly not accepted, or no replica is available for the read.",
        _problem_response(503, "The write was not accepted; try again.", **_RETRY_REQUIRED_HEADERS),
    ),
    504: (
        "GatewayTimeout",
        "There was no response in time. A write with this response may have been accepted.",
        _problem_response(504, "The request could not be handled in time. Try again later.", **_RETRY_REQUIRED_HEADERS),
    ),
}

# Every operation can have these: API Gateway and the firewall send them, before or instead of a function.
COMMON_STATUSES = (400, 401, 403, 429, 500, 503, 504)
PUBLIC_STATUSES = (400, 403, 429, 500, 503, 504)


def problem_components() -> dict[str, ResponseObject]:
    """Return the problems as response components, by name."""
    return {
        name: {"description": description, **response} for name, description, response in PROBLEM_RESPONSES.values()
    }


def problem_references(*statuses: int, common: tuple[int, ...] = COMMON_STATUSES) -> dict[str, ResponseObject]:
    """Create references to problems, by status."""
    return {
        str(status): {"$ref": f"#/components/responses/{PROBLEM_RESPONSES[status][0]}"}
        for status in sorted({*statuses, *common})
    }
