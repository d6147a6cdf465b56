"""The OpenAPI document, made of the resource classes.

What is told to everybody: this contract, and the page that shows it.
"""

from collections.abc import Sequence
from typing import Any

from sluice.model.resource import Resource
from sluice.openapi import ndjson as many
from sluice.openapi import operations, parameters
from sluice.openapi import responses as answers
from sluice.openapi import schemas as items
from sluice.openapi import schemas as shapes
from sluice.openapi import schemas as wording
from sluice.openapi.parameters import parameter_reference
from sluice.openapi.responses import PUBLIC_STATUSES, header_references, problem_references

Document = dict[str, Any]


API_VERSION = "1.0.0"


_DESCRIPTION = """\
Reads come from a replica. Writes are accepted at once and applied later: `202` says that a write will not be lost,
not that it can be read already. Its receipt tells what became of it, and a read that names its version waits for it.

What is not a success is a problem document (RFC 9457). `429`, `503` and `504` may be tried again, after `Retry-After`.
"""


_CLIENT_KEY_DESCRIPTION = (
    "The client's own key, which whoever operates the service gives it. A client's rate and quota are counted by it."
)


_TOKEN_DESCRIPTION = "An access token of the service's user pool, with the scope that the operation names."  # noqa: S105  no secret


def create_document(
    resources: Sequence[Resource], sign_in_url: str = "", server_url: str = "..", *, needs_client_keys: bool = False
) -> Document:
    """The contract of these resources.

    `sign_in` is the address where tokens are issued, without a slash at its end; empty leaves out how to get one.
    `server` is the service's address; the default is relative to where the document is served. `keys` says that
    clients need one each besides the token.
    """
    names, schemas = shapes.create_write_schemas(resources)
    paths: dict[str, Any] = {}
    for resource in resources:
        name = names[resource.collection]
        schemas[f"{name}AsRead"] = shapes.create_read_schema(resource, schemas[name])
        schemas |= items.create_response_schemas(resource, name, schemas[name])
        paths |= operations.create_paths(resource, name)
    if not sign_in_url:
        _remove_scheme(paths, "oauth2")
    if needs_client_keys:
        _require_client_key(paths)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Sluice", "version": API_VERSION, "description": _DESCRIPTION},
        "servers": [{"url": server_url}],
        "tags": [_create_tag(resource) for resource in resources],
        "paths": {**paths, **create_public_paths()},
        "components": {
            "schemas": {**schemas, **many.line_schemas(), "Problem": answers.PROBLEM_SCHEMA},
            "parameters": dict(parameters.SHARED_PARAMETERS),
            "headers": dict(answers.HEADERS),
            "responses": answers.problem_components(),
            "securitySchemes": _token_schemes(sign_in_url) | (_client_key_scheme() if needs_client_keys else {}),
        },
    }


def _create_tag(resource: Resource) -> dict[str, str]:
    seen = "Private: each item is seen and changed by its owner only." if resource.private else "Shared by all callers."
    return {"name": resource.collection, "description": f"{wording.get_summary(resource.model)} {seen}".strip()}


def _remove_scheme(paths: Document, scheme: str) -> None:
    for methods in paths.values():
        for operation in methods.values():
            operation["security"] = [one for one in operation["security"] if scheme not in one]


def _require_client_key(paths: Document) -> None:
    for methods in paths.values():
        for operation in methods.values():
            operation["security"] = [{**one, "client_key": []} for one in operation["security"]]


def _client_key_scheme() -> Document:
    return {
        "client_key": {"type": "apiKey", "in": "header", "name": "x-api-key", "description": _CLIENT_KEY_DESCRIPTION}
    }


def _token_schemes(sign_in: str) -> Document:
    bearer = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": _TOKEN_DESCRIPTION}
    if not sign_in:
        return {"bearer": bearer}
    scopes = {"sluice/read": "Read", "sluice/write": "Write"}
    token = f"{sign_in}/oauth2/token"
    flows = {
        "clientCredentials": {"tokenUrl": token, "scopes": scopes},
        "authorizationCode": {
            "authorizationUrl": f"{sign_in}/oauth2/authorize",
            "tokenUrl": token,
            "scopes": {**scopes, operations.SIGNED_IN_SCOPE: "What the person may"},
        },
    }
    return {"bearer": bearer, "oauth2": {"type": "oauth2", "description": _TOKEN_DESCRIPTION, "flows": flows}}


DOCUMENT_PATH, PAGE_PATH = "/v1/openapi.json", "/v1/docs"


def create_public_paths() -> dict[str, Any]:
    return {
        DOCUMENT_PATH: {"get": _public_operation("openapi", "This document", "application/json", {"type": "object"})},
        PAGE_PATH: {"get": _public_operation("docs", "This document as a page", "text/html", {"type": "string"})},
    }


def _public_operation(name: str, summary: str, media: str, schema: dict[str, str]) -> dict[str, Any]:
    kept = header_references("ETag", "CacheControl")
    return {
        "operationId": name,
        "summary": summary,
        "security": [],
        "parameters": [parameter_reference("IfNoneMatch")],
        "responses": {
            "200": {"description": f"{summary}.", "headers": kept, "content": {media: {"schema": schema}}},
            "304": {"description": "What the client holds is still right.", "headers": kept},
            **problem_references(always=PUBLIC_STATUSES),
        },
    }
