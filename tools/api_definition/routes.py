"""The routes of the API as API Gateway imports them: OpenAPI 2.0 with its extensions, derived from the contract."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

from sluice.model.api_digest import required_fields
from sluice.model.resource import Resource
from sluice.openapi.document import STATUS_PATH, create_document
from sluice.openapi.operations import READ_SCOPES, WRITE_SCOPES
from sluice.openapi.parameters import SHARED_PARAMETERS
from tools.api_definition.resource import AUTHORIZER

Definition = dict[str, Any]

ANY_METHOD, INTEGRATION = "x-amazon-apigateway-any-method", "x-amazon-apigateway-integration"
VALIDATORS, VALIDATOR = "x-amazon-apigateway-request-validators", "x-amazon-apigateway-request-validator"
UNKNOWN_PATHS = ("/", "/{proxy+}")
"""What no other route takes."""

_FUNCTIONS = {"get": "GetFunction", "post": "PostFunction", "put": "PutFunction", "delete": "DeleteFunction"}
_PUBLIC_FUNCTION, _FALLBACK_FUNCTION = "OpenApiFunction", "FallbackFunction"
_STATUS_FUNCTION = "StatusFunction"


def create_definition(resources: Sequence[Resource]) -> Definition:
    """Create every path of the contract, with a method ANY for what the contract lacks, and the unknown paths."""
    # The scopes stand in the document only with an address for sign-in.
    document = create_document(resources, sign_in_url="https://sign-in")
    paths = {path: _create_methods(path, operations) for path, operations in document["paths"].items()}
    models = {name_model(resource): _create_model(resource) for resource in resources}
    for resource in resources:
        base = f"/v1/{resource.collection}"
        for operation in (paths[base]["post"], paths[f"{base}/{{id}}"]["put"]):
            _validate_body(operation, name_model(resource))
    return {
        "swagger": "2.0",
        "info": {"version": "1.0", "title": {"Ref": "AWS::StackName"}},
        "paths": {**paths, **{path: {ANY_METHOD: _create_fallback(is_public=False)} for path in UNKNOWN_PATHS}},
        "definitions": models,
        VALIDATORS: {"body": {"validateRequestBody": True, "validateRequestParameters": False}},
    }


def name_model(resource: Resource) -> str:
    """Return the name of the model of a body: of letters and digits, as API Gateway requires."""
    return f"Write{resource.collection.replace('_', 'U')}"


def _create_model(resource: Resource) -> Definition:
    """Create the model of a body: an object with the required fields.

    API Gateway names these faults clearly. Types and limits are left to the function, whose problem document names each
    faulty field, and which alone knows what a column takes.
    """
    required = required_fields(resource)
    return {"type": "object", **({"required": required} if required else {})}


def _validate_body(operation: Definition, model: str) -> None:
    """Let API Gateway validate a body of JSON. It validates no other type, such as lines of JSON."""
    body = {"name": "item", "in": "body", "required": True, "schema": {"$ref": f"#/definitions/{model}"}}
    operation["consumes"] = ["application/json"]
    operation["parameters"] = [*operation.get("parameters", []), body]
    operation[VALIDATOR] = "body"


def list_api_resources(paths: Iterable[str]) -> set[str]:
    """Return what counts as a resource in API Gateway: each path, and each path above it."""
    segments = (path.strip("/").split("/") for path in paths)
    return {"/", *(part for parts in segments for part in accumulate(parts, "{}/{}".format) if part)}


def _create_methods(path: str, operations: Mapping[str, Any]) -> Definition:
    is_public = not any(operation["security"] for operation in operations.values())
    methods = {method: _create_method(path, method, operation) for method, operation in operations.items()}
    return {**methods, ANY_METHOD: _create_fallback(is_public=is_public)}


def _create_method(path: str, method: str, operation: Mapping[str, Any]) -> Definition:
    scopes = [scope for option in operation["security"] for scope in option.get("oauth2", ())]
    public_function = _STATUS_FUNCTION if path == STATUS_PATH else _PUBLIC_FUNCTION
    function = _FUNCTIONS[method] if scopes else public_function
    parameters = list(_create_parameters(operation["parameters"]))
    return {
        **({"parameters": parameters} if parameters else {}),
        **_secure(scopes),
        **_integrate(function),
    }


def _create_fallback(*, is_public: bool) -> Definition:
    scopes = [] if is_public else list(dict.fromkeys((*READ_SCOPES[:1], *WRITE_SCOPES)))
    return {**_secure(scopes), **_integrate(_FALLBACK_FUNCTION)}


def _create_parameters(parameters: Iterable[Mapping[str, Any]]) -> Iterator[Definition]:
    for listed in parameters:
        parameter = SHARED_PARAMETERS[listed["$ref"].rpartition("/")[2]] if "$ref" in listed else listed
        required = {"required": True} if parameter.get("required") else {}
        yield {"name": parameter["name"], "in": parameter["in"], **required, "type": "string"}


def _secure(scopes: list[str]) -> Definition:
    return {"security": [{AUTHORIZER: scopes}]} if scopes else {}


def _integrate(function: str) -> Definition:
    uri = (
        "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/"
        f"${{{function}.Arn}}/invocations"
    )
    integration = {"type": "aws_proxy", "httpMethod": "POST", "uri": {"Fn::Sub": uri}}
    return {INTEGRATION: integration, "responses": {}}
