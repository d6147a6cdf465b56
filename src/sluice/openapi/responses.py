"""The answers that operations have in common: problem documents, and what headers stand on what."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from sluice.http.problem import PROBLEM_CONTENT_TYPE
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
        "detail": {"type": "string", "description": "What is wrong, for a person."},
        "errors": {
            "type": "array",
            "description": "What is wrong with which field, parameter or header.",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "detail": {"type": "string"}},
                "required": ["field", "detail"],
            },
        },
    },
    "required": ["type", "title", "status", "detail"],
}


_RETRY = "Seconds after which to try again, or to look."


HEADERS: Mapping[str, HeaderObject] = {
    "RetryAfter": {"description": _RETRY, "schema": {"type": "integer", "minimum": 0}},
    "RetryAfterRequired": {"description": _RETRY, "required": True, "schema": {"type": "integer", "minimum": 0}},
    "ETag": {
        "description": "The state of the answer; for `If-None-Match`.",
        "required": True,
        "schema": {"type": "string", "pattern": '^"[^"]+"$'},
    },
    "LastModified": {
        "description": "When the item's latest write was accepted, in whole seconds.",
        "required": True,
        "schema": {"type": "string"},
    },
    "CacheControl": {
        "description": "Who may keep the answer. `no-cache`, `max-age=0`: to be used only once it was asked about.",
        "required": True,
        "schema": {"type": "string"},
    },
    "Vary": {"description": "Whose answer it is.", "schema": {"type": "string"}},
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
        "description": "As for other writes, when the request has one item.",
        "schema": {"type": "string", "pattern": '^<[^>]+>; rel="status"$'},
    },
    "NextLink": {
        "description": "The next page's address, relative to the request's, as `<…>; rel=\"next\"`; not on the last.",
        "schema": {"type": "string", "pattern": '^<[^>]+>; rel="next"$'},
    },
    "PreferenceApplied": {
        "description": "The seconds that were allowed for waiting, as `wait=10`, when the client would wait.",
        "schema": {"type": "string", "pattern": "^wait=[0-9]+$"},
    },
    "Allow": {"description": "The methods of the path.", "required": True, "schema": {"type": "string"}},
    "WWWAuthenticate": {"required": True, "schema": {"type": "string"}},
}


def header_references(*names: str, **renamed: str) -> dict[str, HeaderObject]:
    """References to headers, by the name on the wire; `renamed` says which one stands for a name."""
    wire = {"CacheControl": "Cache-Control", "LastModified": "Last-Modified", "PreferenceApplied": "Preference-Applied"}
    found = {wire.get(name, name): name for name in names}
    found |= {name.replace("_", "-"): which for name, which in renamed.items()}
    return {name: {"$ref": f"#/components/headers/{which}"} for name, which in found.items()}


def _problem_response(
    status: int, detail: str, *errors: tuple[str, str], **more: dict[str, HeaderObject]
) -> ResponseObject:
    example: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if errors:
        example["errors"] = [{"field": field, "detail": said} for field, said in errors]
    return {**more, "content": {PROBLEM_CONTENT_TYPE: {"schema": schema_reference("Problem"), "example": example}}}


_RETRY_HEADERS = {"headers": header_references(Retry_After="RetryAfter")}


_RETRY_REQUIRED_HEADERS = {"headers": header_references(Retry_After="RetryAfterRequired")}


# By status: a name, when it comes, and the answer. These and no others are what an error looks like.
PROBLEM_RESPONSES: Mapping[int, tuple[str, str, ResponseObject]] = {
    400: (
        "BadRequest",
        "The request cannot be understood: no JSON, a bad id, an unknown parameter, a question that no index answers.",
        _problem_response(400, "limit: Expected a number from 1 to 500", ("limit", "Expected a number from 1 to 500")),
    ),
    401: (
        "Unauthorized",
        "There is no token, or it has expired, is for something else, or lacks the scope.",
        _problem_response(
            401,
            "The token is missing, has expired, or does not cover this method.",
            headers=header_references(WWW_Authenticate="WWWAuthenticate"),
        ),
    ),
    403: (
        "Forbidden",
        "The caller may not do that, lacks a client key where one is needed, or was refused by a firewall rule.",
        _problem_response(403, "This caller may not do that."),
    ),
    404: (
        "NotFound",
        "There is no such item, or it was deleted, or it is another owner's.",
        _problem_response(404, "There is no such item."),
    ),
    405: (
        "MethodNotAllowed",
        "The path does not take this method. Every path answers so to methods that are not described for it.",
        _problem_response(405, "This path takes GET, not PATCH.", headers=header_references("Allow")),
    ),
    413: (
        "ContentTooLarge",
        "The item is too large for one record of the stream.",
        _problem_response(413, "An item's record may have at most 1024000 bytes."),
    ),
    415: (
        "UnsupportedMediaType",
        "The body is of another type.",
        _problem_response(415, "The body must be application/json, not text/plain."),
    ),
    422: (
        "UnprocessableContent",
        "The body is JSON, and no such item.",
        _problem_response(422, "name: Expected `str`, got `int`", ("name", "Expected `str`, got `int`")),
    ),
    425: (
        "TooEarly",
        "The replica does not have the version that was asked for yet. The receipt tells whether it will come.",
        _problem_response(
            425,
            "The replica does not have this version of the item yet.",
            headers=header_references("PreferenceApplied", Retry_After="RetryAfterRequired", Link="ReceiptLink"),
        ),
    ),
    429: (
        "TooManyRequests",
        "More requests than the service, or this caller's quota, takes.",
        _problem_response(
            429, "More requests than this service takes at a time. Try again later.", **_RETRY_REQUIRED_HEADERS
        ),
    ),
    500: (
        "InternalServerError",
        "A fault of the service. A write that is answered so may have been accepted.",
        _problem_response(500, "Something went wrong on our side.", **_RETRY_HEADERS),
    ),
    503: (
        "ServiceUnavailable",
        "Not possible at the moment: a write that is not accepted for sure, or a read without a replica.",
        _problem_response(503, "The write was not accepted; try again.", **_RETRY_REQUIRED_HEADERS),
    ),
    504: (
        "GatewayTimeout",
        "There was no answer in time. A write that is answered so may have been accepted.",
        _problem_response(504, "The request could not be handled in time. Try again later.", **_RETRY_REQUIRED_HEADERS),
    ),
}


# What every operation can answer: API Gateway and the firewall do, before or instead of a function.
COMMON_STATUSES = (400, 401, 403, 429, 500, 503, 504)


PUBLIC_STATUSES = (400, 403, 429, 500, 503, 504)


def problem_components() -> dict[str, ResponseObject]:
    """The problems as components, by name."""
    return {name: {"description": when, **answer} for name, when, answer in PROBLEM_RESPONSES.values()}


def problem_references(*statuses: int, always: tuple[int, ...] = COMMON_STATUSES) -> dict[str, ResponseObject]:
    """References to problems, by status."""
    return {
        str(status): {"$ref": f"#/components/responses/{PROBLEM_RESPONSES[status][0]}"}
        for status in sorted({*statuses, *always})
    }
