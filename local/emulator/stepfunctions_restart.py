"""Gap: executions that ran when the emulator stopped were failed at the next start. On AWS nothing stops under them.

They start again from their input, so what they do must stand being done twice, as it must on AWS.
"""

import contextvars
import os
import socket
import threading
import time
from types import SimpleNamespace
from typing import Any

from ministack.core.responses import now_iso, request_scope
from ministack.services import stepfunctions

from local.emulator.expectation import replace

_before = SimpleNamespace()


def _restore(data: dict[str, Any]) -> None:
    interrupted = {
        key
        for key, execution in _items(data.get("executions") or {})
        if execution.get("status") == "RUNNING" and not execution.get("sync")
    }
    _before.restore(data)
    for key, execution in _items(stepfunctions._executions):
        if key in interrupted:
            _run_again(execution)


def _items(executions: Any) -> Any:
    return list(executions._data.items()) if hasattr(executions, "_data") else list(executions.items())


def _run_again(execution: dict[str, Any]) -> None:
    execution.update(status="RUNNING", startDate=now_iso(), stopDate=None, output=None, events=execution["events"][:1])
    for field in ("error", "cause"):
        execution.pop(field, None)
    arn = execution["executionArn"]
    _, _, _, region, account, *_ = arn.split(":")

    def run() -> None:
        _wait_until_served()
        with request_scope(account, region):
            stepfunctions._run_execution(arn)

    threading.Thread(target=contextvars.copy_context().run, args=(run,), daemon=True).start()


def _wait_until_served() -> None:
    """Return when this process answers: what an execution calls needs it."""
    while True:
        try:
            socket.create_connection(("127.0.0.1", int(os.environ["GATEWAY_PORT"])), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return


def patch() -> None:
    _before.restore = replace(stepfunctions, "_restore_state", "b94c49c3dd97", _restore)
