"""Gap: of the OpenAPI body that SAM writes, `ANY` methods, gateway responses, integration timeouts, cache keys and
binary media types were dropped; and a changed body made another API, with another address, where AWS changes the API
in place.
"""

import json
from types import SimpleNamespace
from typing import Any

from ministack.services import apigateway_v1
from ministack.services.cloudformation import provisioners

from local.emulator.expectation import UnexpectedError, replace

_before = SimpleNamespace()

ANY = "x-amazon-apigateway-any-method"
RESPONSES = "x-amazon-apigateway-gateway-responses"
BINARY = "x-amazon-apigateway-binary-media-types"

PLACES = {"path": "path", "query": "querystring", "header": "header"}

# What belongs to the definition of an API, by its id. Stages and deployments stay when the definition changes.
DEFINITION = ("_resources", "_authorizers_v1", "_models", "_gateway_responses", "_request_validators")


def _import_operation(api_id: str, resource_id: str, method: str, operation: dict[str, Any], *security: Any) -> None:
    method = "ANY" if method == ANY.upper() else method
    _before.operation(api_id, resource_id, method, operation, *security)
    made = apigateway_v1._resources[api_id][resource_id]["resourceMethods"][method]
    given = (operation or {}).get("x-amazon-apigateway-integration") or {}
    if "timeoutInMillis" in given:
        made["methodIntegration"]["timeoutInMillis"] = int(given["timeoutInMillis"])
    if "cacheKeyParameters" in given:
        made["methodIntegration"]["cacheKeyParameters"] = list(given["cacheKeyParameters"])
    made["requestParameters"] = {
        f"method.request.{PLACES[parameter['in']]}.{parameter['name']}": bool(parameter.get("required"))
        for parameter in (operation or {}).get("parameters", [])
        if parameter.get("in") in PLACES
    }


def _import_api(spec: dict[str, Any], base_data: dict[str, Any] | None = None) -> str:
    api_id: str = _before.api(spec, base_data)
    for response_type, response in (spec.get(RESPONSES) or {}).items():
        status, _, body = apigateway_v1._put_gateway_response(api_id, response_type, response)
        if status >= 400:
            raise ValueError(f"gateway response {response_type}: {json.loads(body).get('message')}")
    if spec.get(BINARY):
        apigateway_v1._rest_apis[api_id]["binaryMediaTypes"] = list(spec[BINARY])
    return api_id


def _update_api(
    api_id: str, old: dict[str, Any], new: dict[str, Any], stack_name: str, logical_id: str | None = None
) -> Any:
    if old.get("Body") == new.get("Body") or api_id not in apigateway_v1._rest_apis:
        return _before.update(api_id, old, new, stack_name, logical_id)
    made, _ = provisioners._apigw_rest_api_create(logical_id or api_id, new, stack_name)
    for name in DEFINITION:
        store = getattr(apigateway_v1, name)
        store.pop(api_id, None)
        if made in store:
            store[api_id] = store.pop(made)
    apis = apigateway_v1._rest_apis
    apis[api_id] = {**apis.pop(made), "id": api_id, "createdDate": apis[api_id].get("createdDate")}
    apigateway_v1._delete_rest_api(made)
    return api_id, provisioners._apigw_rest_api_attrs(api_id)


def patch() -> None:
    if ANY in apigateway_v1._OPENAPI_HTTP_METHODS:
        raise UnexpectedError(f"MiniStack imports {ANY} by itself now: take that out of the emulator's openapi_import.")
    apigateway_v1._OPENAPI_HTTP_METHODS.add(ANY)
    _before.operation = replace(apigateway_v1, "_import_operation", "ca6b0dd9dcf2", _import_operation)
    _before.api = replace(apigateway_v1, "_import_rest_api", "ef72f9312702", _import_api)
    _before.update = replace(provisioners, "_apigw_rest_api_update", "9dee2ef4d951", _update_api)
    provisioners._RESOURCE_HANDLERS["AWS::ApiGateway::RestApi"]["update"] = _update_api
