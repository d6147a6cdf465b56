"""Gap: a Cognito authorizer took identity and access tokens alike, and gave the claims in the form of an HTTP API.

On AWS a method with scopes takes access tokens with one of them, a method without scopes takes identity tokens, and all
else is 401. Claims are strings: a list joined by commas, `exp` and `iat` as dates in words.
"""

import json
import time
from types import SimpleNamespace
from typing import Any

from ministack.services import apigateway_v1

from local.emulator.expectation import replace

_before = SimpleNamespace()


async def _validate(authorizer: Any, method: dict[str, Any], headers: Any, query: Any, stage: Any) -> Any:
    claims, error = await _before.validate(authorizer, method, headers, query, stage)
    wanted = "access" if method.get("authorizationScopes") else "id"
    if error is None and claims.get("token_use") != wanted:
        return None, apigateway_v1._gw_error("UNAUTHORIZED", "Unauthorized")
    return claims, error


def _as_string(name: str, value: Any) -> str:
    if name in ("exp", "iat") and isinstance(value, int | float):
        return time.strftime("%a %b %d %H:%M:%S UTC %Y", time.gmtime(value))
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(str(part) for part in value)
    return json.dumps(value, separators=(",", ":")) if isinstance(value, dict) else str(value)


def _claims(claims: dict[str, Any] | None) -> dict[str, str]:
    return {name: _as_string(name, value) for name, value in (claims or {}).items() if value is not None}


def patch() -> None:
    _before.validate = replace(apigateway_v1, "_validate_cognito_authorizer", "11c3eaecec67", _validate)
    replace(apigateway_v1, "_stringify_claims", "5c1785a18bd0", _claims)
