"""Gap: MiniStack saves the state of its services only when it stops.

Here a service is saved after each request that changes it, before the response leaves. What changes without a request,
because CloudFormation creates it, is saved when CloudFormation ends an operation. An operation that a kill interrupts
is therefore as if it had not begun, and the next deploy begins it again.

Not saved by a request are log events and metrics, which are many and which nothing is recovered from: a kill loses
those since the last operation of CloudFormation or the last stop. The same holds for code that was replaced without
CloudFormation.
"""

import contextlib
import json
import logging
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs

from ministack import app
from ministack.core import persistence
from ministack.services import cloudformation
from ministack.services.cloudformation import changesets, handlers, stacks

from local.emulator.patching import replace_function
from local.emulator.workflows.execution_log import ExecutionLog

_NOT_SAVED_BY_REQUEST = {"logs", "monitoring"}
_READS = (
    *("Get", "List", "Describe", "BatchGet", "Head", "Lookup", "Filter", "Search", "Select", "Estimate", "Preview"),
    *("Validate", "Simulate", "Test", "GET", "HEAD", "OPTIONS"),
)
# Firehose's spool and the log of executions store these.
_STORED_ELSEWHERE = {
    *("PutRecord", "PutRecordBatch"),
    *("StartExecution", "StartSyncExecution", "StopExecution"),
}
_MAX_ATTEMPTS = 20

_logger = logging.getLogger("persistence")
_original = SimpleNamespace()
_logs: dict[str, ExecutionLog] = {}
_lock = threading.Lock()


def add_log(service: str, log: ExecutionLog) -> None:
    """Empty the log whenever the state of the service, which then contains all of it, is saved."""
    _logs[service] = log


def save_service(service: str) -> None:
    """Save the state of a service, by MiniStack's key for it. Raises OSError if it cannot be written."""
    read_state = app._build_persistence_save_dict().get(service)
    if read_state is None or (service == "cloudformation" and _is_operation_running()):
        return
    log = _logs.get(service)
    # A lock, so that no older state replaces a newer one.
    with _lock, log.empty() if log else contextlib.nullcontext():
        state = _read_state(read_state)
        if state is not None:
            _write_state(service, state)


def _read_state(read_state: Callable[[], Any]) -> Any:
    for _ in range(_MAX_ATTEMPTS):
        try:
            return read_state()
        except RuntimeError:  # another thread has changed a dictionary meanwhile
            continue
    return read_state()


def _write_state(service: str, state: Any) -> None:
    content = {"__ministack_format__": persistence._state_format_version(service), "payload": state}
    path = Path(persistence.STATE_DIR) / f"{service}.json"
    new_file = path.with_suffix(".json.tmp")
    # MiniStack's json.dump to a file takes many times as long.
    new_file.write_text(json.dumps(content, default=persistence._json_default))
    new_file.replace(path)


def _is_operation_running() -> bool:
    statuses = {stack["StackStatus"] for stack in list(cloudformation._stacks._data.values())}
    return any(status.endswith("_IN_PROGRESS") for status in statuses - {"REVIEW_IN_PROGRESS"})


def _save_all(services: Iterable[str]) -> None:
    for service in list(services):
        try:
            save_service(service)
        except Exception:
            # The others must still be saved.
            _logger.exception("the state of %s could not be saved", service)


def _create_stack_task(operation: Any, stack: Any, stack_id: str | None = None) -> None:
    async def run() -> None:
        try:
            await operation
        finally:
            _save_all(app._build_persistence_save_dict())

    _original.create_stack_task(run(), stack, stack_id)


def _save_after(service: str, handler: Any) -> Any:
    """Wrap the handler of a service."""
    config = app.SERVICE_REGISTRY[service]
    keys = (config.get("state_key", config["module"]), *config.get("sub_modules", ()))

    async def handle(*request: Any) -> Any:
        response = await handler(*request)
        if response[0] < 400 and _changes_state(service, request):
            for key in keys:
                save_service(key)
        return response

    return handle


def _changes_state(service: str, request: tuple[Any, ...]) -> bool:
    """`request` is method, path, headers, body and query, as MiniStack's handlers get them."""
    method, path, *content = request
    if service == "s3":
        # `objects` stores what belongs to a key.
        return method in {"PUT", "POST", "DELETE"} and "/" not in path.strip("/")
    if service == "lambda" and path.endswith(("/invocations", "/invoke-async/")):
        return False
    if service == "lambda" and path.endswith("/code"):
        # The state has the code of all functions, a second of work. Who replaces code without a deploy can do it again:
        # `make up` does, for `make dev`.
        return False
    action = _read_action(method, *content)
    return action not in _STORED_ELSEWHERE and not action.startswith(_READS)


def _read_action(method: str, headers: Any, body: bytes, query: Any) -> str:
    """Return the name of the action, or the method for an API whose paths name its resources."""
    if target := headers.get("x-amz-target"):
        return str(target).rpartition(".")[2]
    if not query.get("Action") and "x-www-form-urlencoded" in headers.get("content-type", ""):
        query = parse_qs(body.decode(errors="replace"))
    return str((query.get("Action") or [method])[0])


def patch() -> None:
    for service in app.SERVICE_HANDLERS.keys() - _NOT_SAVED_BY_REQUEST:
        app.SERVICE_HANDLERS[service] = _save_after(service, app.SERVICE_HANDLERS[service])
    replace_function(app, "save_all", "ea253a04fd05", _save_all)
    for module in (stacks, handlers, changesets):
        _original.create_stack_task = replace_function(
            module, "_create_stack_task_in_region", "56e8e40df26f", _create_stack_task
        )
