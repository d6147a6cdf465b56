"""The schemas of what is around an item: read, listed, accepted, and the receipt of a write."""

from collections.abc import Mapping
from typing import Any

from sluice.contract import examples
from sluice.contract.shapes import VERSION, Schema, id_shape, reference
from sluice.resource import Resource

MOMENT = {"type": "string", "format": "date-time", "description": "When the item's latest write was accepted, in UTC."}


def around(resource: Resource, name: str, schema: Mapping[str, Any]) -> dict[str, Schema]:
    """The schemas of a collection's answers, by name. `name` is that of what is written, `schema` its schema."""
    as_read = f"{name}AsRead"
    whole: Schema = {"allOf": [reference(as_read), {"type": "object", "required": list(schema["properties"])}]}
    page: Schema = {
        "title": f"{name}Page",
        "type": "object",
        "properties": {
            "items": {"type": "array", "items": _envelope(resource, f"{name}Listed", reference(as_read))},
            "next": {
                "type": "string",
                "description": "Where the next page begins: the `after` of the same question. Not there on the last.",
            },
        },
        "required": ["items"],
    }
    return {
        f"{name}Item": _envelope(resource, f"{name}Item", whole) | {"examples": examples.items(resource)},
        f"{name}Page": page | {"examples": [examples.page(resource)]},
        f"{name}Accepted": _accepted(resource, name),
        f"{name}Receipt": _receipt(resource, name),
    }


def _envelope(resource: Resource, title: str, data: Schema) -> Schema:
    return {
        "title": title,
        "type": "object",
        "properties": {
            **_named(resource, "Of the item's latest write."),
            "written_at": MOMENT,
            "data": data,
        },
        "required": ["id", "version", "written_at", "data"],
    }


def _named(resource: Resource, which: str) -> dict[str, Schema]:
    """The id of an item and a version of it."""
    return {"id": id_shape(resource), "version": VERSION | {"description": which}}


def _accepted(resource: Resource, name: str) -> Schema:
    return {
        "title": f"{name}Accepted",
        "description": "A write that was accepted, and is applied later.",
        "type": "object",
        "properties": {
            **_named(resource, "Of this write."),
            "status": {"const": "pending"},
            "receipt": {
                "type": "string",
                "format": "uri-reference",
                "description": "Where to ask what became of the write, relative to the request's address.",
            },
        },
        "required": ["id", "version", "status", "receipt"],
        "examples": [examples.accepted(resource, f"{resource.collection}/")],
    }


def _receipt(resource: Resource, name: str) -> Schema:
    return {
        "title": f"{name}Receipt",
        "description": "What became of a write.",
        "type": "object",
        "properties": {
            **_named(resource, "Of the write."),
            "status": {
                "enum": ["pending", "applied", "superseded", "rejected"],
                "description": "pending: not in the tables yet. applied: the item is as this write left it. "
                "superseded: the item has a later version. rejected: the database could not take it.",
            },
            "superseded_by": VERSION | {"description": "The item's version, when this write is superseded."},
            "reason": {"type": "string", "description": "Why the write is rejected, without its data."},
        },
        "required": ["id", "version", "status"],
        "examples": examples.receipts(resource),
    }
