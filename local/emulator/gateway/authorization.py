"""Gaps in how API Gateway identifies a caller.

- A Cognito authorizer accepts identity and access tokens alike. On AWS a method with scopes accepts only access tokens
  with one of them, a method without scopes accepts only identity tokens, and any other token gets 401.
- The claims have the form of an HTTP API. On AWS a REST API gives strings: a list joined by commas, `exp` and `iat` as
  dates in words.
- The field `enabled` of a blocked API key becomes the text "false", which lets its client in.
"""

import json
import time
from types import SimpleNamespace
from typing import Any

from ministack.services import apigateway_v1

from local.emulator.patching import replace_function

_original = SimpleNamespace()


async def _check_token(authorizer: Any, method: dict[str, Any], headers: Any, query: Any, stage: Any) -> Any:
    claims, error = await _original.check_token(authorizer, method, headers, query, stage)
    expected_use = "access" if method.get("authorizationScopes") else "id"
    if error is None and claims.get("token_use") != expected_use:
        return None, apigateway_v1._gw_error("UNAUTHORIZED", "Unauthorized")
    return claims, error


def _stringify_claims(claims: dict[str, Any] | None) -> dict[str, str]:
    return {name: _stringify_claim(name, value) for name, value in (claims or {}).items() if value is not None}


def _stringify_claim(name: str, value: Any) -> str:
    if name in ("exp", "iat") and isinstance(value, int | float):
        return time.strftime("%a %b %d %H:%M:%S UTC %Y", time.gmtime(value))
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(str(part) for part in value)
    return json.dumps(value, separators=(",", ":")) if isinstance(value, dict) else str(value)


def _update_key(key_id: str, data: dict[str, Any]) -> Any:
    _original.update_key(key_id, data)
    key = apigateway_v1._api_keys.get(key_id)
    if key is not None:
        key["enabled"] = str(key["enabled"]).lower() == "true"
    return apigateway_v1._get_api_key(key_id)


def patch() -> None:
    _original.check_token = replace_function(
        apigateway_v1, "_validate_cognito_authorizer", "11c3eaecec67", _check_token
    )
    replace_function(apigateway_v1, "_stringify_claims", "5c1785a18bd0", _stringify_claims)
    _original.update_key = replace_function(apigateway_v1, "_update_api_key", "10ef37f1cb2b", _update_key)
