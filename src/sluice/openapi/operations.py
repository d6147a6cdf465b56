"""The operations of a collection: list, read, write, and receipt."""

from typing import Any

from sluice.model.resource import Resource
from sluice.openapi.ndjson import ndjson_content, partial_success_response
from sluice.openapi.parameters import (
    item_id_parameter,
    list_parameters,
    parameter_reference,
    write_version_parameter,
)
from sluice.openapi.responses import header_references, problem_references
from sluice.openapi.schemas import Schema, schema_reference

Operation = dict[str, Any]

SIGNED_IN_SCOPE = "aws.cognito.signin.user.admin"
READ_SCOPES, WRITE_SCOPES = ("sluice/read", SIGNED_IN_SCOPE), ("sluice/write", SIGNED_IN_SCOPE)

_CACHING_HEADERS = header_references("ETag", "CacheControl", "Vary", "AsOf")


def create_paths(resource: Resource, name: str) -> dict[str, dict[str, Operation]]:
    """Create the paths of a collection. `name` is the name of its schema."""
    base = f"/v1/{resource.collection}"
    paths = {
        base: {"get": _list_operation(resource, name), "post": _post_operation(resource, name)},
        f"{base}/{{id}}": {
            "get": _get_operation(resource, name),
            "put": _put_operation(resource, name),
            "delete": _delete_operation(resource, name),
        },
        f"{base}/{{id}}/writes/{{version}}": {"get": _receipt_operation(resource, name)},
    }
    for methods in paths.values():
        for method, operation in methods.items():
            operation["tags"] = [resource.collection]
            operation["security"] = create_security(READ_SCOPES if method == "get" else WRITE_SCOPES)
    return paths


def create_security(scopes: tuple[str, ...]) -> list[dict[str, list[str]]]:
    """Require a token with any of the scopes. The bearer scheme cannot name scopes, so it is an option without them."""
    return [*({"oauth2": [scope]} for scope in scopes), {"bearer": []}]


def json_response(description: str, schema: Schema, **more: Any) -> dict[str, Any]:
    return {"description": description, **more, "content": {"application/json": {"schema": schema}}}


def _list_operation(resource: Resource, name: str) -> Operation:
    page = json_response(
        "A page of the collection.",
        schema_reference(f"{name}Page"),
        headers=_CACHING_HEADERS | header_references(Link="NextLink"),
    )
    items = "the caller's own items" if resource.private else "items"
    return {
        "operationId": f"{resource.collection}_list",
        "summary": f"A page of {items}",
        "description": "An index must answer the filters, range and order. The response to any other query is 400, and "
        "names the indexes.",
        "parameters": list_parameters(resource),
        "responses": {"200": page, "304": _not_modified_response(), **problem_references(425)},
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
            item_id_parameter(resource),
            *map(parameter_reference, ("Version", "Prefer", "IfNoneMatch", "AsOfFloor")),
        ],
        "responses": {
            "200": item,
            "304": _not_modified_response("LastModified", "PreferenceApplied"),
            **problem_references(404, 425),
        },
    }


def _not_modified_response(*headers: str) -> dict[str, Any]:
    return {
        "description": "The client's stored response is still valid.",
        "headers": _CACHING_HEADERS | header_references(*headers),
    }


def _receipt_operation(resource: Resource, name: str) -> Operation:
    receipt = json_response(
        "The state of the write. A write that the replica does not have, or that does not exist, is pending.",
        schema_reference(f"{name}Receipt"),
        headers=header_references("CacheControl", "AsOf", Retry_After="RetryAfter"),
    )
    return {
        "operationId": f"{resource.collection}_receipt",
        "summary": "The state of a write",
        "parameters": [
            item_id_parameter(resource),
            write_version_parameter(),
            parameter_reference("AsOfFloor"),
        ],
        "responses": {"200": receipt, **problem_references(425)},
    }


def _post_operation(resource: Resource, name: str) -> Operation:
    id_rule = f"Its id is its `{resource.key}`." if resource.key else "The service chooses the id."
    return {
        "operationId": f"{resource.collection}_post",
        "summary": "Write a new item, or several",
        "description": f"{id_rule} {_describe_writers(resource)}".strip(),
        "parameters": [parameter_reference("IdempotencyKey")],
        "requestBody": _request_body(resource, name, ndjson_content(resource)),
        "responses": {
            "202": _one_or_many(_accepted_response(resource, name)),
            "207": partial_success_response(resource),
            **problem_references(413, 415, 422),
        },
    }


def _put_operation(resource: Resource, name: str) -> Operation:
    id_rule = f"The `{resource.key}` in the body must equal the id in the path. " if resource.key else ""
    return {
        "operationId": f"{resource.collection}_put",
        "summary": "Write an item with an id that the client chooses",
        "description": f"{id_rule}The item need not exist. {_describe_writers(resource)}".strip(),
        "parameters": [item_id_parameter(resource)],
        "requestBody": _request_body(resource, name),
        "responses": {"202": _accepted_response(resource, name), **problem_references(413, 415, 422)},
    }


def _delete_operation(resource: Resource, name: str) -> Operation:
    return {
        "operationId": f"{resource.collection}_delete",
        "summary": "Delete an item",
        "description": f"The item need not exist. {_describe_writers(resource)}".strip(),
        "parameters": [item_id_parameter(resource)],
        "responses": {"202": _accepted_response(resource, name), **problem_references()},
    }


def _describe_writers(resource: Resource) -> str:
    return f"Only members of the group `{resource.writers}` have permission." if resource.writers else ""


def _request_body(resource: Resource, name: str, other_content: dict[str, Any] | None = None) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": schema_reference(name)}
    if resource.examples:
        numbered = enumerate(resource.examples, 1)
        content["examples"] = {f"example{number}": {"value": dict(example)} for number, example in numbered}
    return {"required": True, "content": {"application/json": content, **(other_content or {})}}


def _one_or_many(accepted: dict[str, Any]) -> dict[str, Any]:
    """Extend the response to a POST of one item to that of several, which share no receipt."""
    content = accepted["content"]["application/json"]
    content["schema"] = {"anyOf": [content["schema"], schema_reference("Lines")]}
    accepted["headers"]["Link"] = {"$ref": "#/components/headers/ReceiptLinkOfOne"}
    return accepted


def _accepted_response(resource: Resource, name: str) -> dict[str, Any]:
    return json_response(
        "The write is accepted and will be applied. `Retry-After` says when to read the receipt, in seconds.",
        schema_reference(f"{name}Accepted"),
        headers=header_references(
            "CacheControl", Location="Location", Link="ReceiptLink", Retry_After="RetryAfterRequired"
        ),
        links=_receipt_links(resource),
    )


def _receipt_links(resource: Resource) -> dict[str, Any]:
    item_id, version = {"path.id": "$response.body#/id"}, "$response.body#/version"
    return {
        "item": {
            "operationId": f"{resource.collection}_get",
            "description": "The item, once this write or a later one is applied.",
            "parameters": {**item_id, "query.version": version, "header.Prefer": "wait=10"},
        },
        "receipt": {
            "operationId": f"{resource.collection}_receipt",
            "description": "The state of the write.",
            "parameters": {**item_id, "path.version": version},
        },
    }
