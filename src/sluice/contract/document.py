"""The OpenAPI document, made of the resource classes."""

from collections.abc import Sequence
from typing import Any

from sluice.contract import answers, items, many, operations, parameters, public, shapes, wording
from sluice.resource import Resource

Document = dict[str, Any]

VERSION = "1.0.0"

_ABOUT = """\
Reads come from a replica. Writes are accepted at once and applied later: `202` says that a write will not be lost,
not that it can be read already. Its receipt tells what became of it, and a read that names its version waits for it.

What is not a success is a problem document (RFC 9457). `429`, `503` and `504` may be tried again, after `Retry-After`.
"""

_KEY = "The client's own key, which whoever operates the service gives it. A client's rate and quota are counted by it."
_TOKEN = "An access token of the service's user pool, with the scope that the operation names."  # noqa: S105  no secret


def document(resources: Sequence[Resource], sign_in: str = "", server: str = "..", *, keys: bool = False) -> Document:
    """The contract of these resources.

    `sign_in` is the address where tokens are issued, without a slash at its end; empty leaves out how to get one.
    `server` is the service's address; the default is relative to where the document is served. `keys` says that
    clients need one each besides the token.
    """
    names, schemas = shapes.written(resources)
    paths: dict[str, Any] = {}
    for resource in resources:
        name = names[resource.collection]
        schemas[f"{name}AsRead"] = shapes.read(resource, schemas[name])
        schemas |= items.around(resource, name, schemas[name])
        paths |= operations.paths(resource, name)
    if not sign_in:
        _leave_out(paths, "oauth2")
    if keys:
        _add_key(paths)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Sluice", "version": VERSION, "description": _ABOUT},
        "servers": [{"url": server}],
        "tags": [_tag(resource) for resource in resources],
        "paths": {**paths, **public.paths()},
        "components": {
            "schemas": {**schemas, **many.schemas(), "Problem": answers.PROBLEM},
            "parameters": dict(parameters.SHARED),
            "headers": dict(answers.HEADERS),
            "responses": answers.responses(),
            "securitySchemes": _schemes(sign_in) | (_key_scheme() if keys else {}),
        },
    }


def _tag(resource: Resource) -> dict[str, str]:
    seen = "Private: each item is seen and changed by its owner only." if resource.private else "Shared by all callers."
    return {"name": resource.collection, "description": f"{wording.summary(resource.model)} {seen}".strip()}


def _leave_out(paths: Document, scheme: str) -> None:
    for methods in paths.values():
        for operation in methods.values():
            operation["security"] = [one for one in operation["security"] if scheme not in one]


def _add_key(paths: Document) -> None:
    for methods in paths.values():
        for operation in methods.values():
            operation["security"] = [{**one, "client_key": []} for one in operation["security"]]


def _key_scheme() -> Document:
    return {"client_key": {"type": "apiKey", "in": "header", "name": "x-api-key", "description": _KEY}}


def _schemes(sign_in: str) -> Document:
    bearer = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": _TOKEN}
    if not sign_in:
        return {"bearer": bearer}
    scopes = {"sluice/read": "Read", "sluice/write": "Write"}
    token = f"{sign_in}/oauth2/token"
    flows = {
        "clientCredentials": {"tokenUrl": token, "scopes": scopes},
        "authorizationCode": {
            "authorizationUrl": f"{sign_in}/oauth2/authorize",
            "tokenUrl": token,
            "scopes": {**scopes, operations.SIGNED_IN: "What the person may"},
        },
    }
    return {"bearer": bearer, "oauth2": {"type": "oauth2", "description": _TOKEN, "flows": flows}}
