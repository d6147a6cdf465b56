"""Many items in one request, as `application/x-ndjson`."""

from typing import Any

import msgspec

from sluice.model.resource import Resource
from sluice.openapi import examples
from sluice.openapi.responses import header_references
from sluice.openapi.schemas import VERSION_SCHEMA, Schema, schema_reference

NDJSON_MEDIA_TYPE = "application/x-ndjson"


_NUMBER: Schema = {"type": "integer", "minimum": 1, "description": "The line in the request, counted from 1."}


_FAULT: Schema = {
    "type": "object",
    "properties": {"field": {"type": "string"}, "detail": {"type": "string"}},
    "required": ["field", "detail"],
}


_LINE_ACCEPTED: Schema = {
    "title": "LineAccepted",
    "type": "object",
    "properties": {
        "line": _NUMBER,
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
        "line": _NUMBER,
        "status": {"enum": [422, 503], "description": "422: no such item. 503: not accepted; send the line again."},
        "detail": {"type": "string"},
        "errors": {"type": "array", "items": _FAULT},
    },
    "required": ["line", "status", "detail"],
}


def line_schemas() -> dict[str, Schema]:
    """What is answered to many items. Where none was accepted, a problem document has the same members."""
    return {
        "LineAccepted": _LINE_ACCEPTED,
        "LineRefused": _LINE_REFUSED,
        "Lines": {
            "title": "Lines",
            "description": "What became of each line: 202 with a receipt, or the problem.",
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
    """The media type of a body with many items: one item a line, each accepted or refused on its own."""
    content: dict[str, Any] = {
        "schema": {
            "type": "string",
            "description": "One item a line, as in `application/json`; each is accepted or refused on its own.",
        }
    }
    if resource.examples:
        content["example"] = "".join(f"{msgspec.json.encode(one).decode()}\n" for one in resource.examples)
    return {NDJSON_MEDIA_TYPE: content}


def partial_success_response(resource: Resource) -> dict[str, Any]:
    """The answer when some lines were accepted and others not."""
    taken = {**examples.example_accepted(resource, f"{resource.collection}/"), "line": 1, "status": 202}
    fault = {"field": "colour", "detail": "Object contains unknown field `colour`"}
    refused = {"line": 2, "status": 422, "detail": f"colour: {fault['detail']}", "errors": [fault]}
    return {
        "description": "Of many lines some were accepted and others not; each says which.",
        "headers": header_references("CacheControl", Location="Location", Retry_After="RetryAfterRequired"),
        "content": {
            "application/json": {
                "schema": schema_reference("Lines"),
                "example": {"accepted": 1, "refused": 1, "lines": [taken, refused]},
            }
        },
    }
