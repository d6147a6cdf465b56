"""The operations of a collection: its list, its items, its receipts, and the writes to it."""

from typing import Any

from sluice.contract import many, parameters
from sluice.contract.answers import headers, problems
from sluice.contract.shapes import Schema, reference
from sluice.resource import Resource

Operation = dict[str, Any]

SIGNED_IN = "aws.cognito.signin.user.admin"
READS, WRITES = ("sluice/read", SIGNED_IN), ("sluice/write", SIGNED_IN)

_KEPT = headers("ETag", "CacheControl", "Vary")


def paths(resource: Resource, name: str) -> dict[str, dict[str, Operation]]:
    """The paths of a collection. `name` is that of its schema."""
    base = f"/v1/{resource.collection}"
    found = {
        base: {"get": _list(resource, name), "post": _post(resource, name)},
        f"{base}/{{id}}": {
            "get": _get(resource, name),
            "put": _put(resource, name),
            "delete": _delete(resource, name),
        },
        f"{base}/{{id}}/writes/{{version}}": {"get": _receipt(resource, name)},
    }
    for methods in found.values():
        for method, operation in methods.items():
            operation["tags"] = [resource.collection]
            operation["security"] = security(READS if method == "get" else WRITES)
    return found


def security(scopes: tuple[str, ...]) -> list[dict[str, list[str]]]:
    """A token with any of the scopes; a bearer token has no scopes to name, so it is said once more without."""
    return [*({"oauth2": [scope]} for scope in scopes), {"bearer": []}]


def answered(description: str, schema: Schema, **more: Any) -> dict[str, Any]:
    return {"description": description, **more, "content": {"application/json": {"schema": schema}}}


def _list(resource: Resource, name: str) -> Operation:
    page = answered(
        "A page of the collection.",
        reference(f"{name}Page"),
        headers=_KEPT | headers(Link="NextLink"),
    )
    what = "the caller's own items" if resource.private else "items"
    return {
        "operationId": f"{resource.collection}_list",
        "summary": f"A page of {what}",
        "description": "Filters, ranges and orders are those that an index answers; any other question is 400, which "
        "says what there is.",
        "parameters": parameters.of_list(resource),
        "responses": {"200": page, "304": _unchanged(), **problems()},
    }


def _get(resource: Resource, name: str) -> Operation:
    item = answered("The item.", reference(f"{name}Item"), headers=_KEPT | headers("LastModified", "PreferenceApplied"))
    return {
        "operationId": f"{resource.collection}_get",
        "summary": "One item",
        "parameters": [
            parameters.item_id(resource),
            *map(parameters.shared, ("Version", "Prefer", "IfNoneMatch")),
        ],
        "responses": {"200": item, "304": _unchanged("LastModified", "PreferenceApplied"), **problems(404, 425)},
    }


def _unchanged(*more: str) -> dict[str, Any]:
    return {"description": "What the client holds is still right.", "headers": _KEPT | headers(*more)}


def _receipt(resource: Resource, name: str) -> Operation:
    receipt = answered(
        "What became of the write. A write that the replica has not seen, and one that never was, is pending.",
        reference(f"{name}Receipt"),
        headers=headers("CacheControl", Retry_After="RetryAfter"),
    )
    return {
        "operationId": f"{resource.collection}_receipt",
        "summary": "What became of a write",
        "parameters": [parameters.item_id(resource), parameters.write_version()],
        "responses": {"200": receipt, **problems()},
    }


def _post(resource: Resource, name: str) -> Operation:
    chosen = f"Its id is its `{resource.key}`." if resource.key else "The service chooses the id."
    return {
        "operationId": f"{resource.collection}_post",
        "summary": "Write a new item, or many",
        "description": f"{chosen} {_who(resource)}".strip(),
        "parameters": [parameters.shared("IdempotencyKey")],
        "requestBody": _body(resource, name, many.body(resource)),
        "responses": {
            "202": _one_or_many(_accepted(resource, name)),
            "207": many.some(resource),
            **problems(413, 415, 422),
        },
    }


def _put(resource: Resource, name: str) -> Operation:
    same = f"The `{resource.key}` of the body is the id in the path. " if resource.key else ""
    return {
        "operationId": f"{resource.collection}_put",
        "summary": "Write an item under an id that the client names",
        "description": f"{same}The item need not exist. {_who(resource)}".strip(),
        "parameters": [parameters.item_id(resource)],
        "requestBody": _body(resource, name),
        "responses": {"202": _accepted(resource, name), **problems(413, 415, 422)},
    }


def _delete(resource: Resource, name: str) -> Operation:
    return {
        "operationId": f"{resource.collection}_delete",
        "summary": "Delete an item",
        "description": f"A write like the others: the item need not exist. {_who(resource)}".strip(),
        "parameters": [parameters.item_id(resource)],
        "responses": {"202": _accepted(resource, name), **problems()},
    }


def _who(resource: Resource) -> str:
    return f"Only members of the group `{resource.writers}` may." if resource.writers else ""


def _body(resource: Resource, name: str, more: dict[str, Any] | None = None) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": reference(name)}
    if resource.examples:
        numbered = enumerate(resource.examples, 1)
        content["examples"] = {f"example{number}": {"value": dict(one)} for number, one in numbered}
    return {"required": True, "content": {"application/json": content, **(more or {})}}


def _one_or_many(accepted: dict[str, Any]) -> dict[str, Any]:
    """The answer to a POST: of one item, or of many, which have no receipt in common."""
    content = accepted["content"]["application/json"]
    content["schema"] = {"anyOf": [content["schema"], reference("Lines")]}
    accepted["headers"]["Link"] = {"$ref": "#/components/headers/ReceiptLinkOfOne"}
    return accepted


def _accepted(resource: Resource, name: str) -> dict[str, Any]:
    return answered(
        "The write was accepted and is applied later. `Retry-After` says after how many seconds to look.",
        reference(f"{name}Accepted"),
        headers=headers("CacheControl", Location="Location", Link="ReceiptLink", Retry_After="RetryAfterRequired"),
        links=_links(resource),
    )


def _links(resource: Resource) -> dict[str, Any]:
    written = {"version": "$response.body#/version"}
    at = {"path.id": "$response.body#/id"}
    return {
        "item": {
            "operationId": f"{resource.collection}_get",
            "description": "The item, once this write or a later one is applied.",
            "parameters": {**at, "query.version": written["version"], "header.Prefer": "wait=10"},
        },
        "receipt": {
            "operationId": f"{resource.collection}_receipt",
            "description": "What became of the write.",
            "parameters": {**at, "path.version": written["version"]},
        },
    }
