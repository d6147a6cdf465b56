"""Gap: `ReservedConcurrentExecutions` in a template was ignored, published versions and aliases escaped the limit, and
a throttled asynchronous invocation was given up after two tries.
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

from local.emulator.expectation import replace

_before = SimpleNamespace()

_log = logging.getLogger("sluice.emulator")

# AWS tries a throttled event again for up to 6 h, first after a second and then less and less often, up to 5 minutes.
# Here waiting stays short, since nothing else makes use of the pause.
LONGEST_THROTTLED_WAIT = 5.0


def _reserve(name: str, props: dict[str, Any]) -> None:
    reserved = props.get("ReservedConcurrentExecutions")
    lambda_svc._functions[name]["concurrency"] = None if reserved is None else int(reserved)


def _create(logical_id: str, props: dict[str, Any], stack_name: str) -> Any:
    created = _before.create(logical_id, props, stack_name)
    _reserve(created[0], props)
    return created


def _update(
    physical_id: str, old: dict[str, Any], new: dict[str, Any], stack_name: str, logical_id: str | None = None
) -> Any:
    updated = _before.update(physical_id, old, new, stack_name, logical_id=logical_id)
    _reserve(updated[0], new)
    return updated


def _reserved(func: dict[str, Any] | None, config: dict[str, Any]) -> int | None:
    # A version's record carries no reservation of its own: it shares the function's.
    function = lambda_svc._functions.get(config.get("FunctionName", "")) or func or {}
    reserved = function.get("concurrency")
    return None if reserved is None else int(reserved)


def _invoke_later(func: dict[str, Any], event: Any) -> None:
    """Asynchronous invocation: failures are tried again as often as configured, throttles until they pass."""
    config = func.get("config") or func
    settings = func.get("event_invoke_config") or (func.get("event_invoke_configs") or {}).get("$LATEST") or {}
    retries = settings.get("MaximumRetryAttempts")
    age = float(settings.get("MaximumEventAgeInSeconds") or 21_600)
    target = ((settings.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination")
    target = target or (config.get("DeadLetterConfig") or {}).get("TargetArn")

    def run() -> None:
        deadline = time.monotonic() + age
        failures, wait = 0, 0.1
        while True:
            result = lambda_svc._execute_function_with_config_scope(func, event)
            if not result.get("error"):
                return
            if result.get("throttle"):
                wait = min(wait * 2, LONGEST_THROTTLED_WAIT)
            else:
                failures += 1
                wait = min(lambda_svc._LAMBDA_ASYNC_RETRY_BASE_SECONDS * 2 ** (failures - 1), 30)
            if failures > (2 if retries is None else int(retries)) or time.monotonic() + wait > deadline:
                break
            time.sleep(random.uniform(wait / 2, wait))  # noqa: S311 - spreads load, guards nothing
        name = config.get("FunctionName", "")
        _log.warning("an asynchronous invocation of %s was given up: %s", name, result.get("body"))
        if target:
            lambda_svc._route_async_failure(target, name, event, result)

    threading.Thread(target=contextvars.copy_context().run, args=(run,), daemon=True).start()


def patch() -> None:
    _before.create = replace(provisioners, "_lambda_create", "8b2cf80e961d", _create)
    _before.update = replace(provisioners, "_lambda_update", "4855410e37d7", _update)
    handlers = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"]
    handlers["create"], handlers["update"] = _create, _update
    replace(lambda_svc, "_reserved_concurrency", "ebec4b4bba77", _reserved)
    replace(lambda_svc, "invoke_async_with_retry", "289fe4d3cbd4", _invoke_later)
