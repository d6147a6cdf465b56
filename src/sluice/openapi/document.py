"""Create the OpenAPI document from the resource classes."""

from collections.abc import Sequence
from typing import Any

import msgspec

from sluice.model.resource import Resource
from sluice.openapi.ndjson import line_schemas
from sluice.openapi.operations import SIGNED_IN_SCOPE, create_paths
from sluice.openapi.parameters import SHARED_PARAMETERS, parameter_reference
from sluice.openapi.responses import (
    HEADERS,
    PROBLEM_SCHEMA,
    PUBLIC_STATUSES,
    header_references,
    problem_components,
    problem_references,
)
from sluice.openapi.schemas import create_read_schema, create_response_schemas, create_write_schemas, get_summary
from sluice.openapi.status_operation import STATUS_SCHEMA, status_operation

Document = dict[str, Any]

API_VERSION = "1.0.0"
DOCUMENT_PATH, PAGE_PATH, STATUS_PATH = "/v1/openapi.json", "/v1/docs", "/v1/status"

_DESCRIPTION = """\
Reads come from a replica. Writes are accepted immediately and applied later: `202` means that the write cannot be
lost, not that reads show it already. Its receipt shows its state, and a read with its version waits for it.

Every error is a problem document (RFC 9457). Clients may retry after `429`, `503` and `504`, as `Retry-After` says.
"""

_CLIENT_KEY_DESCRIPTION = (
    "The client's own key, issued by the service's operators. A client's rate and quota are counted by it."
)
_TOKEN_DESCRIPTION = "An access token of the service's user pool, with the scope that the operation names."  # noqa: S105  no secret


def create_document(
    resources: Sequence[Resource], sign_in_url: str = "", server_url: str = "..", *, needs_client_keys: bool = False
) -> Document:
    """Create the document of these resources.

    `sign_in_url` is where tokens are issued, without a slash at its end; if it is empty, the document does not say how
    to get a token. `server_url` is the service's address; the default is relative to the document's own address.
    `needs_client_keys` says that each client needs its own key in addition to the token.
    """
    names, schemas = create_write_schemas(resources)
    paths: dict[str, Any] = {}
    for resource in resources:
        name = names[resource.collection]
        schemas[f"{name}AsRead"] = create_read_schema(resource, schemas[name])
        schemas |= create_response_schemas(resource, name, schemas[name])
        paths |= create_paths(resource, name)
    if not sign_in_url:
        _remove_scheme(paths, "oauth2")
    if needs_client_keys:
        _require_client_key(paths)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Sluice", "version": API_VERSION, "description": _DESCRIPTION},
        "servers": [{"url": server_url}],
        "tags": [_create_tag(resource) for resource in resources],
        "paths": {**paths, **_create_public_paths()},
        "components": {
            "schemas": {**schemas, **line_schemas(), "ServiceStatus": STATUS_SCHEMA, "Problem": PROBLEM_SCHEMA},
            "parameters": dict(SHARED_PARAMETERS),
            "headers": dict(HEADERS),
            "responses": problem_components(),
            "securitySchemes": _token_schemes(sign_in_url) | (_client_key_scheme() if needs_client_keys else {}),
        },
    }


def encode_document(document: Document, indent: int = -1) -> bytes:
    """Encode a document as JSON, in the order of its members."""
    text = msgspec.json.encode(document)
    return msgspec.json.format(text, indent=indent)


def _create_tag(resource: Resource) -> Document:
    """The tag of a collection. `x-private` and `x-key` say to programs what the descriptions say to persons."""
    access = "Private: only an item's owner can read and write it." if resource.private else "Shared by all callers."
    return {
        "name": resource.collection,
        "description": f"{get_summary(resource.model)} {access}".strip(),
        "x-private": resource.private,
        "x-key": resource.key,
    }


def _remove_scheme(paths: Document, scheme: str) -> None:
    for methods in paths.values():
        for operation in methods.values():
            operation["security"] = [option for option in operation["security"] if scheme not in option]


def _require_client_key(paths: Document) -> None:
    for methods in paths.values():
        for operation in methods.values():
            operation["security"] = [{**option, "client_key": []} for option in operation["security"]]


def _client_key_scheme() -> Document:
    return {
        "client_key": {"type": "apiKey", "in": "header", "name": "x-api-key", "description": _CLIENT_KEY_DESCRIPTION}
    }


def _token_schemes(sign_in_url: str) -> Document:
    bearer = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": _TOKEN_DESCRIPTION}
    if not sign_in_url:
        return {"bearer": bearer}
    scopes = {"sluice/read": "Read", "sluice/write": "Write"}
    token_url = f"{sign_in_url}/oauth2/token"
    flows = {
        "clientCredentials": {"tokenUrl": token_url, "scopes": scopes},
        "authorizationCode": {
            "authorizationUrl": f"{sign_in_url}/oauth2/authorize",
            "tokenUrl": token_url,
            "scopes": {**scopes, SIGNED_IN_SCOPE: "Everything that the person has permission for"},
        },
    }
    return {"bearer": bearer, "oauth2": {"type": "oauth2", "description": _TOKEN_DESCRIPTION, "flows": flows}}


def _create_public_paths() -> dict[str, Any]:
    """The paths that need no token: this document, the page that shows it, and the status."""
    return {
        DOCUMENT_PATH: {"get": _public_operation("openapi", "This document", "application/json", {"type": "object"})},
        PAGE_PATH: {"get": _public_operation("docs", "This document as a page", "text/html", {"type": "string"})},
        STATUS_PATH: {"get": status_operation()},
    }


def _public_operation(name: str, summary: str, media_type: str, schema: dict[str, str]) -> dict[str, Any]:
    headers = header_references("ETag", "CacheControl")
    return {
        "operationId": name,
        "summary": summary,
        "security": [],
        "parameters": [parameter_reference("IfNoneMatch")],
        "responses": {
            "200": {"description": f"{summary}.", "headers": headers, "content": {media_type: {"schema": schema}}},
            "304": {"description": "The client's stored response is still valid.", "headers": headers},
            **problem_references(common=PUBLIC_STATUSES),
        },
    }
