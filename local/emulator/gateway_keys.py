"""Gap: of a key that was blocked, `enabled` was the text "false", which let its client in."""

from types import SimpleNamespace
from typing import Any

from ministack.services import apigateway_v1

from local.emulator.expectation import replace

_before = SimpleNamespace()


def _update(key_id: str, data: dict[str, Any]) -> Any:
    _before.update(key_id, data)
    key = apigateway_v1._api_keys.get(key_id)
    if key is not None:
        key["enabled"] = str(key["enabled"]).lower() == "true"
    return apigateway_v1._get_api_key(key_id)


def patch() -> None:
    _before.update = replace(apigateway_v1, "_update_api_key", "10ef37f1cb2b", _update)
