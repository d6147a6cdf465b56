"""Gaps in how MiniStack runs Python functions.

- The caller does not get the class name of an exception.
- An invocation that logs nothing waits 50 ms.
- An error or a new deployment kills environments that other invocations use.
- A function behind API Gateway starts a new trace. On AWS it continues the trace that a client sends.

Python functions run in environments of `local.emulator.functions.worker`; this module acquires and releases them.
"""

import secrets
import threading
from types import SimpleNamespace
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from local.emulator.functions.worker import Worker, compute_revision
from local.emulator.patching import replace_function

_original = SimpleNamespace()

# `log_stream`: that of the environment which served the last invocation on this thread. `functions.logs` reads it.
last_invocation = threading.local()


def _execute_function(func: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
    config = func.get("config") or func
    if not _is_python(config):
        return _original.execute_function(func, event, request_id)  # type: ignore[no-any-return]
    lambda_svc._ensure_reaper_thread()
    worker = _acquire_worker(config["FunctionName"], config, func["code_zip"])
    try:
        result = worker.invoke(
            event,
            request_id,
            trace_id=lambda_svc._xray_trace_id_for_invocation(config, _read_trace_header(event)),
            invoked_function_arn=config.get("FunctionArn", ""),
        )
        last_invocation.log_stream = worker.log_stream
    finally:
        lambda_runtime.release_worker(worker)
    if "error" in result:
        return {"body": {**result["error"], "requestId": request_id}, "error": True, "log": result["log"]}
    return {"body": result.get("result"), "log": result["log"]}


def _read_trace_header(event: Any) -> str | None:
    """Return the trace that a request of API Gateway continues, for the function; None without one."""
    if not isinstance(event, dict) or "requestContext" not in event:
        return None
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    header = headers.get("x-amzn-trace-id")
    if not header or "Root=" not in header:
        return None
    return str(header) if "Parent=" in header else f"{header};Parent={secrets.token_hex(8)}"


def _is_python(config: dict[str, Any]) -> bool:
    return str(config.get("Runtime", "")).startswith("python")


def _acquire_worker(name: str, config: dict[str, Any], code: bytes) -> Worker:
    """Acquire an environment with the current code and configuration. Outdated environments are retired."""
    while True:
        version = config.get("Version", "$LATEST")
        worker, _ = lambda_runtime.acquire_worker(name, config, code, qualifier=version)
        if worker.revision == compute_revision(config):
            return worker  # type: ignore[no-any-return]
        _retire_worker(worker)
        lambda_runtime.release_worker(worker)


def _retire_worker(worker: Worker) -> None:
    """Remove an environment from its pool. Its release then ends it."""
    worker.is_retired = True
    with lambda_runtime._lock:
        for workers in lambda_runtime._workers.values():
            if worker in workers:
                workers.remove(worker)


def _select_worker_class(config: dict[str, Any]) -> Any:
    return Worker if _is_python(config) else _original.select_worker_class(config)


def _kill_workers(workers: list[Any]) -> None:
    """End idle environments. Busy ones finish their invocation first, as on AWS when a function changes."""
    idle = []
    for worker in workers:
        if isinstance(worker, Worker) and worker.in_use:
            worker.is_retired = True
        else:
            idle.append(worker)
    _original.kill_workers(idle)


def _release_worker(worker: Any) -> None:
    _original.release_worker(worker)
    if getattr(worker, "is_retired", False):
        _original.kill_workers([worker])


def patch() -> None:
    _original.execute_function = replace_function(
        lambda_svc, "_execute_function_warm", "62b9218bef5b", _execute_function
    )
    _original.select_worker_class = replace_function(
        lambda_runtime, "_worker_class_for", "b5a23849280a", _select_worker_class
    )
    _original.kill_workers = replace_function(lambda_runtime, "kill_workers", "56a6df63f9bd", _kill_workers)
    _original.release_worker = replace_function(lambda_runtime, "release_worker", "25d5dd7d42b6", _release_worker)
    lambda_svc.release_worker = _release_worker
