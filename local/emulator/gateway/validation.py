"""Gaps in how API Gateway validates a body against the model of a method.

- A body of a content type without a model is validated against the model for JSON. On AWS it is not validated. A body
  without a content type is JSON there too.
- `$context.error.validationErrorString` is empty. On AWS it lists the faults in the words of its validator, escaped for
  a JSON text.
"""

import json
from typing import Any

from jsonschema import Draft4Validator  # type: ignore[import-untyped]
from jsonschema.exceptions import ValidationError  # type: ignore[import-untyped]
from ministack.services import apigateway_v1

from local.emulator.patching import replace_function

DEFAULT_CONTENT_TYPE = "$default"


def _check_request(  # noqa: PLR0913, PLR0917 - the signature is MiniStack's
    method: dict[str, Any], api_id: str, request: dict[str, Any], headers: Any, body: Any, query: Any
) -> Any:
    """Return the gateway error of an invalid request, or None."""
    validator = apigateway_v1._request_validators.get(api_id, {}).get(method.get("requestValidatorId"))
    if not validator:
        return None
    if validator.get("validateRequestParameters"):
        missing = apigateway_v1._missing_request_parameters(method, request, headers, query)
        if missing:
            names = ", ".join(missing)
            return apigateway_v1._gw_error("BAD_REQUEST_PARAMETERS", f"Missing required request parameters: [{names}]")
    if not validator.get("validateRequestBody"):
        return None
    model = _find_model(method.get("requestModels") or {}, headers)
    schema = apigateway_v1._model_schema(api_id, model) if model else None
    if schema is None:
        return None
    faults = _find_faults(schema, body)
    if not faults:
        return None
    error = apigateway_v1._gw_error("BAD_REQUEST_BODY", "Invalid request body")
    error.validation = f"[{', '.join(faults)}]"
    return error


def _find_model(models: dict[str, str], headers: Any) -> str | None:
    content_type = apigateway_v1._header_ci(headers, "content-type") or "application/json"
    return models.get(content_type.split(";", 1)[0].strip().lower()) or models.get(DEFAULT_CONTENT_TYPE)


def _find_faults(schema: Any, body: Any) -> list[str]:
    try:
        document = json.loads(body)
    except (ValueError, TypeError, RecursionError):
        return ["the body is not JSON"]
    errors = sorted(Draft4Validator(schema).iter_errors(document), key=str)
    return list(dict.fromkeys(map(_describe, errors)))


def _describe(error: ValidationError) -> str:
    """A fault in the words of AWS's validator."""
    match error.validator:
        case "required":
            missing = sorted(name for name in error.validator_value if name not in error.instance)
            return f"object has missing required properties ({json.dumps(missing, separators=(',', ':'))})"
        case "type":
            types = error.validator_value if isinstance(error.validator_value, list) else [error.validator_value]
            allowed = json.dumps(types, separators=(",", ":"))
            return (
                f"instance type ({_name_type(error.instance)}) does not match any allowed primitive type "
                f"(allowed: {allowed})"
            )
    return str(error.message)


def _name_type(value: Any) -> str:
    names = {type(None): "null", bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}
    return names.get(type(value), "object")


def patch() -> None:
    replace_function(apigateway_v1, "_check_request_validation", "9605a07a083f", _check_request)
