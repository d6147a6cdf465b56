"""Gap: a custom resource whose function failed before it could answer kept the deployment waiting for an hour.

AWS waits too, since the function is called asynchronously and might yet answer. Here the call has ended by then, so the
resource fails at once, with the error as its reason.
"""

from types import SimpleNamespace
from typing import Any

from ministack.services import lambda_svc
from ministack.services.cloudformation import custom_resource

from local.emulator.expectation import replace

_before = SimpleNamespace()


def _execute(func: dict[str, Any], event: Any) -> dict[str, Any]:
    result: dict[str, Any] = _before.execute(func, event)
    if result.get("error") and isinstance(event, dict) and "ResponseURL" in event and "RequestType" in event:
        token = event["ResponseURL"].rstrip("/").rsplit("/", 1)[-1]
        body = result.get("body") or {}
        reason = f"{body.get('errorType', body.get('__type'))}: {body.get('errorMessage', body.get('message'))}"
        custom_resource.deliver_response(token, {"Status": "FAILED", "Reason": reason})
    return result


def patch() -> None:
    _before.execute = replace(lambda_svc, "_execute_function_with_config_scope", "26a9d5f64e17", _execute)
