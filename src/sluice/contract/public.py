"""What is told to everybody: this contract, and the page that shows it."""

from typing import Any

from sluice.contract.answers import OPEN, headers, problems
from sluice.contract.parameters import shared

DOCUMENT, PAGE = "/v1/openapi.json", "/v1/docs"


def paths() -> dict[str, Any]:
    return {
        DOCUMENT: {"get": _operation("openapi", "This document", "application/json", {"type": "object"})},
        PAGE: {"get": _operation("docs", "This document as a page", "text/html", {"type": "string"})},
    }


def _operation(name: str, summary: str, media: str, schema: dict[str, str]) -> dict[str, Any]:
    kept = headers("ETag", "CacheControl")
    return {
        "operationId": name,
        "summary": summary,
        "security": [],
        "parameters": [shared("IfNoneMatch")],
        "responses": {
            "200": {"description": f"{summary}.", "headers": kept, "content": {media: {"schema": schema}}},
            "304": {"description": "What the client holds is still right.", "headers": kept},
            **problems(always=OPEN),
        },
    }
