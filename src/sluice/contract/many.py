"""Many items in one request, as `application/x-ndjson`."""

from typing import Any

from sluice.api.problems import CONTENT_TYPE
from sluice.contract.shapes import VERSION, Schema, reference
from sluice.resource import Resource

NDJSON = "application/x-ndjson"

_TAKEN: Schema = {
    "type": "object",
    "properties": {
        "line": {"type": "integer", "minimum": 1},
        "status": {"const": 202},
        "id": {"type": "string"},
        "version": VERSION,
        "receipt": {"type": "string", "format": "uri-reference"},
    },
    "required": ["line", "status", "id", "version", "receipt"],
}
_REFUSED: Schema = {
    "type": "object",
    "properties": {
        "line": {"type": "integer", "minimum": 1},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "detail": {"type": "string"}},
                "required": ["field", "detail"],
            },
        },
    },
    "required": ["line", "status", "detail"],
}

SCHEMAS: dict[str, Schema] = {
    "Lines": {
        "title": "Lines",
        "description": "What became of each line of a request with many items: 202 with a receipt, or the problem.",
        "type": "object",
        "properties": {
            "accepted": {"type": "integer", "minimum": 0},
            "refused": {"type": "integer", "minimum": 0},
            "lines": {"type": "array", "items": {"anyOf": [_TAKEN, _REFUSED]}},
        },
        "required": ["accepted", "refused", "lines"],
    }
}


def body(resource: Resource) -> dict[str, Any]:
    """The media type of a body with many items: one item a line, each accepted or refused on its own."""
    content: dict[str, Any] = {
        "schema": {"type": "string", "description": "One item a line, each as in `application/json`."}
    }
    return {NDJSON: content}


def accepted() -> Schema:
    """The schema of 202 for many items."""
    return reference("Lines")


def responses() -> dict[str, Any]:
    """What only a request with many items is answered."""
    return {
        "207": {
            "description": "Some of the lines were accepted, others refused; each says which.",
            "content": {"application/json": {"schema": reference("Lines")}},
        }
    }
