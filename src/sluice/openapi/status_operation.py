"""The operation of the service's status, which needs no token."""

from typing import Any

from sluice.openapi.responses import PUBLIC_STATUSES, header_references, problem_references
from sluice.openapi.schemas import Schema, schema_reference

_STATE: Schema = {"enum": ["available", "unavailable", "unknown"]}
_TIME: Schema = {"type": "string", "format": "date-time"}

STATUS_SCHEMA: Schema = {
    "title": "ServiceStatus",
    "type": "object",
    "properties": {
        "at": {**_TIME, "description": "When the service found this out."},
        "writes": {
            "type": "object",
            "description": "`available`: the service accepted a record of its own just then.",
            "properties": {"state": _STATE},
            "required": ["state"],
        },
        "reads": {
            "type": "object",
            "description": "`available`: a database answered at `checked_at`. `unknown`: no recent check.",
            "properties": {
                "state": _STATE,
                "checked_at": _TIME,
                "as_of": {**_TIME, "description": "Reads include every write that was loaded by this moment."},
                "seconds_behind": {
                    "type": "integer",
                    "minimum": 0,
                    "description": "The seconds from `as_of` to `checked_at`: reads were behind by at most as much.",
                },
            },
            "required": ["state"],
        },
    },
    "required": ["at", "writes", "reads"],
}

EXAMPLES: dict[str, Any] = {
    "all is well": {
        "at": "2026-11-29T17:00:41Z",
        "writes": {"state": "available"},
        "reads": {
            "state": "available",
            "checked_at": "2026-11-29T17:00:03Z",
            "as_of": "2026-11-29T17:00:02Z",
            "seconds_behind": 1,
        },
    },
    "no replica answers": {
        "at": "2026-11-29T17:20:41Z",
        "writes": {"state": "available"},
        "reads": {"state": "unavailable", "checked_at": "2026-11-29T17:20:03Z"},
    },
}


def status_operation() -> dict[str, Any]:
    """Create the operation."""
    examples = {name.replace(" ", "-"): {"summary": name, "value": value} for name, value in EXAMPLES.items()}
    return {
        "operationId": "status",
        "summary": "Whether writes are accepted, and how far reads are behind",
        "description": "Caches may have it for 5 seconds. It answers also while there is no database.",
        "security": [],
        "parameters": [],
        "responses": {
            "200": {
                "description": "The status.",
                "headers": header_references("CacheControl"),
                "content": {"application/json": {"schema": schema_reference("ServiceStatus"), "examples": examples}},
            },
            **problem_references(common=PUBLIC_STATUSES),
        },
    }
