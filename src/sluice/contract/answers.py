"""The answers that operations have in common: problem documents, and what headers stand on what."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from sluice.api.problems import CONTENT_TYPE
from sluice.contract.shapes import Schema, reference

Answer = dict[str, Any]
Header = dict[str, Any]

PROBLEM: Schema = {
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

HEADERS: Mapping[str, Header] = {
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


def headers(*names: str, **renamed: str) -> dict[str, Header]:
    """References to headers, by the name on the wire; `renamed` says which one stands for a name."""
    wire = {"CacheControl": "Cache-Control", "LastModified": "Last-Modified", "PreferenceApplied": "Preference-Applied"}
    found = {wire.get(name, name): name for name in names}
    found |= {name.replace("_", "-"): which for name, which in renamed.items()}
    return {name: {"$ref": f"#/components/headers/{which}"} for name, which in found.items()}


def _problem(status: int, detail: str, *errors: tuple[str, str], **more: dict[str, Header]) -> Answer:
    example: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if errors:
        example["errors"] = [{"field": field, "detail": said} for field, said in errors]
    return {**more, "content": {CONTENT_TYPE: {"schema": reference("Problem"), "example": example}}}


_AGAIN = {"headers": headers(Retry_After="RetryAfter")}
_LATER = {"headers": headers(Retry_After="RetryAfterRequired")}

# By status: a name, when it comes, and the answer. These and no others are what an error looks like.
PROBLEMS: Mapping[int, tuple[str, str, Answer]] = {
    400: (
        "BadRequest",
        "The request cannot be understood: no JSON, a bad id, an unknown parameter, a question that no index answers.",
        _problem(400, "limit: Expected a number from 1 to 500", ("limit", "Expected a number from 1 to 500")),
    ),
    401: (
        "Unauthorized",
        "There is no token, or it has expired, is for something else, or lacks the scope.",
        _problem(
            401,
            "The token is missing, has expired, or does not cover this method.",
            headers=headers(WWW_Authenticate="WWWAuthenticate"),
        ),
    ),
    403: (
        "Forbidden",
        "The caller may not do that, lacks a client key where one is needed, or was refused by a firewall rule.",
        _problem(403, "This caller may not do that."),
    ),
    404: (
        "NotFound",
        "There is no such item, or it was deleted, or it is another owner's.",
        _problem(404, "There is no such item."),
    ),
    405: (
        "MethodNotAllowed",
        "The path does not take this method. Every path answers so to methods that are not described for it.",
        _problem(405, "This path takes GET, not PATCH.", headers=headers("Allow")),
    ),
    413: (
        "ContentTooLarge",
        "The item is too large for one record of the stream.",
        _problem(413, "An item's record may have at most 1024000 bytes."),
    ),
    415: (
        "UnsupportedMediaType",
        "The body is of another type.",
        _problem(415, "The body must be application/json, not text/plain."),
    ),
    422: (
        "UnprocessableContent",
        "The body is JSON, and no such item.",
        _problem(422, "name: Expected `str`, got `int`", ("name", "Expected `str`, got `int`")),
    ),
    425: (
        "TooEarly",
        "The replica does not have the version that was asked for yet. The receipt tells whether it will come.",
        _problem(
            425,
            "The replica does not have this version of the item yet.",
            headers=headers("PreferenceApplied", Retry_After="RetryAfterRequired", Link="ReceiptLink"),
        ),
    ),
    429: (
        "TooManyRequests",
        "More requests than the service, or this caller's quota, takes.",
        _problem(429, "More requests than this service takes at a time. Try again later.", **_LATER),
    ),
    500: (
        "InternalServerError",
        "A fault of the service. A write that is answered so may have been accepted.",
        _problem(500, "Something went wrong on our side.", **_AGAIN),
    ),
    503: (
        "ServiceUnavailable",
        "Not possible at the moment: a write that is not accepted for sure, or a read without a replica.",
        _problem(503, "The write was not accepted; try again.", **_LATER),
    ),
    504: (
        "GatewayTimeout",
        "There was no answer in time. A write that is answered so may have been accepted.",
        _problem(504, "The request could not be handled in time. Try again later.", **_LATER),
    ),
}

# What every operation can answer: API Gateway and the firewall do, before or instead of a function.
ALWAYS = (400, 401, 403, 429, 500, 503, 504)
OPEN = (400, 403, 429, 500, 503, 504)


def responses() -> dict[str, Answer]:
    """The problems as components, by name."""
    return {name: {"description": when, **answer} for name, when, answer in PROBLEMS.values()}


def problems(*statuses: int, always: tuple[int, ...] = ALWAYS) -> dict[str, Answer]:
    """References to problems, by status."""
    return {
        str(status): {"$ref": f"#/components/responses/{PROBLEMS[status][0]}"}
        for status in sorted({*statuses, *always})
    }
