"""Gaps in the import of the OpenAPI body that SAM writes.

- `ANY` methods, gateway responses, integration timeouts, cache keys, models, request validators and binary media types
  are dropped.
- A changed body creates another API with another address. AWS changes the API in place.
"""

import json
from types import SimpleNamespace
from typing import Any

from ministack.services import apigateway_v1
from ministack.services.cloudformation import provisioners

from local.emulator.patching import UnexpectedMiniStackError, replace_function

ANY_METHOD = "x-amazon-apigateway-any-method"
GATEWAY_RESPONSES = "x-amazon-apigateway-gateway-responses"
VALIDATORS, VALIDATOR = "x-amazon-apigateway-request-validators", "x-amazon-apigateway-request-validator"
BINARY_MEDIA_TYPES = "x-amazon-apigateway-binary-media-types"

PARAMETER_LOCATIONS = {"path": "path", "query": "querystring", "header": "header"}

# MiniStack's dictionaries, by API id, that belong to the definition of an API. Stages and deployments do not.
DEFINITION_STORES = ("_resources", "_authorizers_v1", "_models", "_gateway_responses", "_request_validators")

_original = SimpleNamespace()


def _import_operation(api_id: str, resource_id: str, method: str, operation: dict[str, Any], *security: Any) -> None:
    method = "ANY" if method == ANY_METHOD.upper() else method
    _original.import_operation(api_id, resource_id, method, operation, *security)
    imported = apigateway_v1._resources[api_id][resource_id]["resourceMethods"][method]
    integration = (operation or {}).get("x-amazon-apigateway-integration") or {}
    if "timeoutInMillis" in integration:
        imported["methodIntegration"]["timeoutInMillis"] = int(integration["timeoutInMillis"])
    if "cacheKeyParameters" in integration:
        imported["methodIntegration"]["cacheKeyParameters"] = list(integration["cacheKeyParameters"])
    imported["requestParameters"] = {
        f"method.request.{PARAMETER_LOCATIONS[parameter['in']]}.{parameter['name']}": bool(parameter.get("required"))
        for parameter in (operation or {}).get("parameters", [])
        if parameter.get("in") in PARAMETER_LOCATIONS
    }
    imported["requestModels"] = {
        content_type: parameter["schema"]["$ref"].rpartition("/")[2]
        for parameter in (operation or {}).get("parameters", [])
        if parameter.get("in") == "body"
        for content_type in operation.get("consumes", ["application/json"])
    }
    if VALIDATOR in (operation or {}):
        validators = apigateway_v1._request_validators.get(api_id, {})
        imported["requestValidatorId"] = next(
            (key for key, value in validators.items() if value["name"] == operation[VALIDATOR]), None
        )


def _import_security_schemes(api_id: str, spec: dict[str, Any]) -> Any:
    """Also import what the operations, which come next, refer to."""
    for name, schema in (spec.get("definitions") or {}).items():
        apigateway_v1._create_model(api_id, {"name": name, "schema": json.dumps(schema)})
    for name, validator in (spec.get(VALIDATORS) or {}).items():
        apigateway_v1._create_request_validator(api_id, {"name": name, **validator})
    return _original.import_security_schemes(api_id, spec)


def _import_api(spec: dict[str, Any], base_data: dict[str, Any] | None = None) -> str:
    api_id: str = _original.import_api(spec, base_data)
    for response_type, response in (spec.get(GATEWAY_RESPONSES) or {}).items():
        status, _, body = apigateway_v1._put_gateway_response(api_id, response_type, response)
        if status >= 400:
            raise ValueError(f"gateway response {response_type}: {json.loads(body).get('message')}")
    if spec.get(BINARY_MEDIA_TYPES):
        apigateway_v1._rest_apis[api_id]["binaryMediaTypes"] = list(spec[BINARY_MEDIA_TYPES])
    return api_id


def _update_api(
    api_id: str, old: dict[str, Any], new: dict[str, Any], stack_name: str, logical_id: str | None = None
) -> Any:
    """Import the new body as another API and move its definition into the existing one."""
    if old.get("Body") == new.get("Body") or api_id not in apigateway_v1._rest_apis:
        return _original.update_api(api_id, old, new, stack_name, logical_id)
    imported_id, _ = provisioners._apigw_rest_api_create(logical_id or api_id, new, stack_name)
    for name in DEFINITION_STORES:
        store = getattr(apigateway_v1, name)
        store.pop(api_id, None)
        if imported_id in store:
            store[api_id] = store.pop(imported_id)
    apis = apigateway_v1._rest_apis
    apis[api_id] = {**apis.pop(imported_id), "id": api_id, "createdDate": apis[api_id].get("createdDate")}
    apigateway_v1._delete_rest_api(imported_id)
    return api_id, provisioners._apigw_rest_api_attrs(api_id)


def patch() -> None:
    if ANY_METHOD in apigateway_v1._OPENAPI_HTTP_METHODS:
        raise UnexpectedMiniStackError(f"MiniStack now imports {ANY_METHOD}: remove that from openapi_import.")
    apigateway_v1._OPENAPI_HTTP_METHODS.add(ANY_METHOD)
    _original.import_operation = replace_function(apigateway_v1, "_import_operation", "ca6b0dd9dcf2", _import_operation)
    _original.import_security_schemes = replace_function(
        apigateway_v1, "_import_security_schemes", "52260df45b3d", _import_security_schemes
    )
    _original.import_api = replace_function(apigateway_v1, "_import_rest_api", "ef72f9312702", _import_api)
    _original.update_api = replace_function(provisioners, "_apigw_rest_api_update", "9dee2ef4d951", _update_api)
    provisioners._RESOURCE_HANDLERS["AWS::ApiGateway::RestApi"]["update"] = _update_api
