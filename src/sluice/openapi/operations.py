"""The operations of a collection: its list, its items, its receipts, and the writes to it."""

from typing import Any

from sluice.model.resource import Resource
from sluice.openapi import ndjson as many
from sluice.openapi import parameters
from sluice.openapi.responses import header_references, problem_references
from sluice.openapi.schemas import Schema, schema_reference

Operation = dict[str, Any]


SIGNED_IN_SCOPE = "aws.cognito.signin.user.admin"


READ_SCOPES, WRITE_SCOPES = ("sluice/read", SIGNED_IN_SCOPE), ("sluice/write", SIGNED_IN_SCOPE)


_CACHING_HEADERS = header_references("ETag", "CacheControl", "Vary")


def create_paths(resource: Resource, name: str) -> dict[str, dict[str, Operation]]:
    """The paths of a collection. `name` is that of its schema."""
    base = f"/v1/{resource.collection}"
    found = {
        base: {"get": _list_operation(resource, name), "post": _post_operation(resource, name)},
        f"{base}/{{id}}": {
            "get": _get_operation(resource, name),
            "put": _put_operation(resource, name),
            "delete": _delete_operation(resource, name),
        },
        f"{base}/{{id}}/writes/{{version}}": {"get": _receipt_operation(resource, name)},
    }
    for methods in found.values():
        for method, operation in methods.items():
            operation["tags"] = [resource.collection]
            operation["security"] = create_security(READ_SCOPES if method == "get" else WRITE_SCOPES)
    return found


def create_security(scopes: tuple[str, ...]) -> list[dict[str, list[str]]]:
    """A token with any of the scopes; a bearer token has no scopes to name, so it is said once more without."""
    return [*({"oauth2": [scope]} for scope in scopes), {"bearer": []}]


def json_response(description: str, schema: Schema, **more: Any) -> dict[str, Any]:
    return {"description": description, **more, "content": {"application/json": {"schema": schema}}}


def _list_operation(resource: Resource, name: str) -> Operation:
    page = json_response(
        "A page of the collection.",
        schema_reference(f"{name}Page"),
        headers=_CACHING_HEADERS | header_references(Link="NextLink"),
    )
    what = "the caller's own items" if resource.private else "items"
    return {
        "operationId": f"{resource.collection}_list",
        "summary": f"A page of {what}",
        "description": "Filters, ranges and orders are those that an index answers; any other question is 400, which "
        "says what there is.",
        "parameters": parameters.list_parameters(resource),
        "responses": {"200": page, "304": _not_modified_response(), **problem_references()},
    }


def _get_operation(resource: Resource, name: str) -> Operation:
    item = json_response(
        "The item.",
        schema_reference(f"{name}Item"),
        headers=_CACHING_HEADERS | header_references("LastModified", "PreferenceApplied"),
    )
    return {
        "operationId": f"{resource.collection}_get",
        "summary": "One item",
        "parameters": [
            parameters.item_id_parameter(resource),
            *map(parameters.parameter_reference, ("Version", "Prefer", "IfNoneMatch")),
        ],
        "responses": {
            "200": item,
            "304": _not_modified_response("LastModified", "PreferenceApplied"),
            **problem_references(404, 425),
        },
    }


def _not_modified_response(*more: str) -> dict[str, Any]:
    return {
        "description": "What the client holds is still right.",
        "headers": _CACHING_HEADERS | header_references(*more),
    }


def _receipt_operation(resource: Resource, name: str) -> Operation:
    receipt = json_response(
        "What became of the write. A write that the replica has not seen, and one that never was, is pending.",
        schema_reference(f"{name}Receipt"),
        headers=header_references("CacheControl", Retry_After="RetryAfter"),
    )
    return {
        "operationId": f"{resource.collection}_receipt",
        "summary": "What became of a write",
        "parameters": [parameters.item_id_parameter(resource), parameters.write_version_parameter()],
        "responses": {"200": receipt, **problem_references()},
    }


def _post_operation(resource: Resource, name: str) -> Operation:
    chosen = f"Its id is its `{resource.key}`." if resource.key else "The service chooses the id."
    return {
        "operationId": f"{resource.collection}_post",
        "summary": "Write a new item, or many",
        "description": f"{chosen} {_describe_writers(resource)}".strip(),
        "parameters": [parameters.parameter_reference("IdempotencyKey")],
        "requestBody": _request_body(resource, name, many.ndjson_content(resource)),
        "responses": {
            "202": _one_or_many(_accepted_response(resource, name)),
            "207": many.partial_success_response(resource),
            **problem_references(413, 415, 422),
        },
    }


def _put_operation(resource: Resource, name: str) -> Operation:
    same = f"The `{resource.key}` of the body is the id in the path. " if resource.key else ""
    return {
        "operationId": f"{resource.collection}_put",
        "summary": "Write an item under an id that the client names",
        "description": f"{same}The item need not exist. {_describe_writers(resource)}".strip(),
        "parameters": [parameters.item_id_parameter(resource)],
        "requestBody": _request_body(resource, name),
        "responses": {"202": _accepted_response(resource, name), **problem_references(413, 415, 422)},
    }


def _delete_operation(resource: Resource, name: str) -> Operation:
    return {
        "operationId": f"{resource.collection}_delete",
        "summary": "Delete an item",
        "description": f"A write like the others: the item need not exist. {_describe_writers(resource)}".strip(),
        "parameters": [parameters.item_id_parameter(resource)],
        "responses": {"202": _accepted_response(resource, name), **problem_references()},
    }


def _describe_writers(resource: Resource) -> str:
    return f"Only members of the group `{resource.writers}` may." if resource.writers else ""


def _request_body(resource: Resource, name: str, more: dict[str, Any] | None = None) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": schema_reference(name)}
    if resource.examples:
        numbered = enumerate(resource.examples, 1)
        content["examples"] = {f"example{number}": {"value": dict(one)} for number, one in numbered}
    return {"required": True, "content": {"application/json": content, **(more or {})}}


def _one_or_many(accepted: dict[str, Any]) -> dict[str, Any]:
    """The answer to a POST: of one item, or of many, which have no receipt in common."""
    content = accepted["content"]["application/json"]
    content["schema"] = {"anyOf": [content["schema"], schema_reference("Lines")]}
    accepted["headers"]["Link"] = {"$ref": "#/components/headers/ReceiptLinkOfOne"}
    return accepted


def _accepted_response(resource: Resource, name: str) -> dict[str, Any]:
    return json_response(
        "The write was accepted and is applied later. `Retry-After` says after how many seconds to look.",
        schema_reference(f"{name}Accepted"),
        headers=header_references(
            "CacheControl", Location="Location", Link="ReceiptLink", Retry_After="RetryAfterRequired"
        ),
        links=_receipt_links(resource),
    )


def _receipt_links(resource: Resource) -> dict[str, Any]:
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
