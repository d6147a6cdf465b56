"""Gaps in the reserved concurrency of functions.

- `ReservedConcurrentExecutions` in a template is ignored.
- Published versions and aliases do not count towards the limit of their function.
- A throttled asynchronous invocation fails after two attempts.
"""

import contextvars
import logging
import random
import threading
import time
from types import SimpleNamespace
from typing import Any

from ministack.services import lambda_svc
from ministack.services.cloudformation import provisioners

from local.emulator.patching import replace_function

_logger = logging.getLogger("sluice.emulator")
_original = SimpleNamespace()

# AWS retries a throttled event for up to 6 hours, with pauses that grow from a second to 5 minutes. Here the pauses
# stay short, because nothing else uses the time.
MAX_THROTTLE_PAUSE_SECONDS = 5.0
DEFAULT_MAX_AGE_SECONDS = 21_600
DEFAULT_MAX_RETRIES = 2


def _create_function(logical_id: str, props: dict[str, Any], stack_name: str) -> Any:
    created = _original.create_function(logical_id, props, stack_name)
    _store_reservation(created[0], props)
    return created


def _update_function(
    physical_id: str, old: dict[str, Any], new: dict[str, Any], stack_name: str, logical_id: str | None = None
) -> Any:
    updated = _original.update_function(physical_id, old, new, stack_name, logical_id=logical_id)
    _store_reservation(updated[0], new)
    return updated


def _store_reservation(name: str, props: dict[str, Any]) -> None:
    reserved = props.get("ReservedConcurrentExecutions")
    lambda_svc._functions[name]["concurrency"] = None if reserved is None else int(reserved)


def _get_reservation(func: dict[str, Any] | None, config: dict[str, Any]) -> int | None:
    # The record of a version has no reservation: a version shares that of its function.
    function = lambda_svc._functions.get(config.get("FunctionName", "")) or func or {}
    reserved = function.get("concurrency")
    return None if reserved is None else int(reserved)


def _invoke_asynchronously(func: dict[str, Any], event: Any) -> None:
    """Invoke on a thread. Failures are retried as often as configured, throttles until the event is too old."""
    config = func.get("config") or func
    settings = func.get("event_invoke_config") or (func.get("event_invoke_configs") or {}).get("$LATEST") or {}
    max_retries = settings.get("MaximumRetryAttempts")
    max_age = float(settings.get("MaximumEventAgeInSeconds") or DEFAULT_MAX_AGE_SECONDS)
    target = ((settings.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination")
    target = target or (config.get("DeadLetterConfig") or {}).get("TargetArn")

    def run() -> None:
        deadline = time.monotonic() + max_age
        failures, pause = 0, 0.1
        while True:
            result = lambda_svc._execute_function_with_config_scope(func, event)
            if not result.get("error"):
                return
            if result.get("throttle"):
                pause = min(pause * 2, MAX_THROTTLE_PAUSE_SECONDS)
            else:
                failures += 1
                pause = min(lambda_svc._LAMBDA_ASYNC_RETRY_BASE_SECONDS * 2 ** (failures - 1), 30)
            if failures > (DEFAULT_MAX_RETRIES if max_retries is None else int(max_retries)):
                break
            if time.monotonic() + pause > deadline:
                break
            time.sleep(random.uniform(pause / 2, pause))  # noqa: S311 - spreads load, needs no secure randomness
        name = config.get("FunctionName", "")
        _logger.warning("an asynchronous invocation of %s failed finally: %s", name, result.get("body"))
        if target:
            lambda_svc._route_async_failure(target, name, event, result)

    threading.Thread(target=contextvars.copy_context().run, args=(run,), daemon=True).start()


def patch() -> None:
    _original.create_function = replace_function(provisioners, "_lambda_create", "8b2cf80e961d", _create_function)
    _original.update_function = replace_function(provisioners, "_lambda_update", "4855410e37d7", _update_function)
    handlers = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"]
    handlers["create"], handlers["update"] = _create_function, _update_function
    replace_function(lambda_svc, "_reserved_concurrency", "ebec4b4bba77", _get_reservation)
    replace_function(lambda_svc, "invoke_async_with_retry", "289fe4d3cbd4", _invoke_asynchronously)
