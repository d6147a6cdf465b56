"""Several items in one request, as `application/x-ndjson`."""

from typing import Any

import msgspec

from sluice.model.resource import Resource
from sluice.openapi.examples import example_accepted
from sluice.openapi.responses import header_references
from sluice.openapi.schemas import VERSION_SCHEMA, Schema, schema_reference

NDJSON_MEDIA_TYPE = "application/x-ndjson"

_LINE_NUMBER: Schema = {"type": "integer", "minimum": 1, "description": "The line in the request, counted from 1."}
_FIELD_FAULT: Schema = {
    "type": "object",
    "properties": {"field": {"type": "string"}, "detail": {"type": "string"}},
    "required": ["field", "detail"],
}
_LINE_ACCEPTED: Schema = {
    "title": "LineAccepted",
    "type": "object",
    "properties": {
        "line": _LINE_NUMBER,
        "status": {"const": 202},
        "id": {"type": "string"},
        "version": VERSION_SCHEMA,
        "receipt": {"type": "string", "format": "uri-reference"},
    },
    "required": ["line", "status", "id", "version", "receipt"],
}
_LINE_REFUSED: Schema = {
    "title": "LineRefused",
    "type": "object",
    "properties": {
        "line": _LINE_NUMBER,
        "status": {"enum": [422, 503], "description": "422: not a valid item. 503: not accepted; send the line again."},
        "detail": {"type": "string"},
        "errors": {"type": "array", "items": _FIELD_FAULT},
    },
    "required": ["line", "status", "detail"],
}


def line_schemas() -> dict[str, Schema]:
    """Return the schemas of the response to several items. If none is accepted, a problem document has its members."""
    return {
        "LineAccepted": _LINE_ACCEPTED,
        "LineRefused": _LINE_REFUSED,
        "Lines": {
            "title": "Lines",
            "description": "The result of each line: 202 with a receipt, or the problem.",
            "type": "object",
            "properties": {
                "accepted": {"type": "integer", "minimum": 0},
                "refused": {"type": "integer", "minimum": 0},
                "lines": {
                    "type": "array",
                    "items": {"anyOf": [schema_reference("LineAccepted"), schema_reference("LineRefused")]},
                },
            },
            "required": ["accepted", "refused", "lines"],
        },
    }


def ndjson_content(resource: Resource) -> dict[str, Any]:
    """Return the request content of a body with several items."""
    content: dict[str, Any] = {
        "schema": {
            "type": "string",
            "description": "One item on each line, as in `application/json`. Each is accepted or refused on its own.",
        }
    }
    if resource.examples:
        content["example"] = "".join(f"{msgspec.json.encode(example).decode()}\n" for example in resource.examples)
    return {NDJSON_MEDIA_TYPE: content}


def partial_success_response(resource: Resource) -> dict[str, Any]:
    """Return the response if some lines are accepted and others not."""
    accepted = {**example_accepted(resource, f"{resource.collection}/"), "line": 1, "status": 202}
    fault = {"field": "colour", "detail": "Object contains unknown field `colour`"}
    refused = {"line": 2, "status": 422, "detail": f"colour: {fault['detail']}", "errors": [fault]}
    return {
        "description": "Some lines are accepted and others not; the body has the result of each.",
        "headers": header_references("CacheControl", Location="Location", Retry_After="RetryAfterRequired"),
        "content": {
            "application/json": {
                "schema": schema_reference("Lines"),
                "example": {"accepted": 1, "refused": 1, "lines": [accepted, refused]},
            }
        },
    }
