"""Gap: a Python exception's class name never reached the caller, every invocation without log waited 50 ms, an error or
a redeploy killed environments that others were using.

Replaces the environments of Python functions by `local.emulator.lambda_worker`, and what leases them.
"""

import threading
from types import SimpleNamespace
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from local.emulator import lambda_worker
from local.emulator.expectation import replace

_before = SimpleNamespace()

# The log stream of the environment that served the invocation on this thread, for `lambda_logs`.
served = threading.local()


def _is_python(config: dict[str, Any]) -> bool:
    return str(config.get("Runtime", "")).startswith("python")


def _lease(name: str, config: dict[str, Any], code: bytes) -> lambda_worker.Worker:
    """A free environment of the function as it is now; those of an earlier code or configuration are ended."""
    while True:
        version = config.get("Version", "$LATEST")
        worker, _ = lambda_runtime.acquire_worker(name, config, code, qualifier=version)
        if worker.made_of == lambda_worker.revision(config):
            return worker  # type: ignore[no-any-return]
        _drop(worker)
        lambda_runtime.release_worker(worker)


def _drop(worker: lambda_worker.Worker) -> None:
    """Take it out of its pool; releasing it then ends it."""
    worker.retired = True
    with lambda_runtime._lock:
        for workers in lambda_runtime._workers.values():
            if worker in workers:
                workers.remove(worker)


def _execute(func: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
    config = func.get("config") or func
    if not _is_python(config):
        return _before.execute(func, event, request_id)  # type: ignore[no-any-return]
    lambda_svc._ensure_reaper_thread()
    worker = _lease(config["FunctionName"], config, func["code_zip"])
    try:
        result = worker.invoke(
            event,
            request_id,
            trace_id=lambda_svc._xray_trace_id_for_invocation(config),
            invoked_function_arn=config.get("FunctionArn", ""),
        )
        served.stream = worker.log_stream
    finally:
        lambda_runtime.release_worker(worker)
    if "error" in result:
        return {"body": {**result["error"], "requestId": request_id}, "error": True, "log": result["log"]}
    return {"body": result.get("result"), "log": result["log"]}


def _worker_class(config: dict[str, Any]) -> Any:
    return lambda_worker.Worker if _is_python(config) else _before.worker_class(config)


def _kill(workers: list[Any]) -> None:
    """End environments, but let those that are answering finish first, as AWS does when a function changes."""
    idle = []
    for worker in workers:
        if isinstance(worker, lambda_worker.Worker) and worker.in_use:
            worker.retired = True
        else:
            idle.append(worker)
    _before.kill(idle)


def _release(worker: Any) -> None:
    _before.release(worker)
    if getattr(worker, "retired", False):
        _before.kill([worker])


def patch() -> None:
    _before.execute = replace(lambda_svc, "_execute_function_warm", "62b9218bef5b", _execute)
    _before.worker_class = replace(lambda_runtime, "_worker_class_for", "b5a23849280a", _worker_class)
    _before.kill = replace(lambda_runtime, "kill_workers", "56a6df63f9bd", _kill)
    _before.release = replace(lambda_runtime, "release_worker", "25d5dd7d42b6", _release)
    lambda_svc.release_worker = _release
