"""The program of one Lambda environment: load the handler, then answer one invocation after the other.

Arguments: the handler (`module.function`), then the folders of its import path in order. Requests arrive as JSON lines
on standard input and responses leave as JSON lines on standard output. Both descriptors are duplicated first, so that
whatever the handler prints is log. A line with a zero byte and the request's id ends the log of each invocation.
It imports the standard library only.
"""

import importlib
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

RESPONSE_LIMIT_BYTES = 6_291_556


class Context:
    """The context object of an invocation."""

    identity = None
    client_context = None
    tenant_id = None

    def __init__(self, request: dict[str, Any]) -> None:
        self.aws_request_id: str = request["request_id"]
        self.invoked_function_arn: str = request["function_arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self._deadline: float = request["deadline"]

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._deadline - time.time()) * 1000))


def build_failure(error_type: str, message: str, stack: list[str]) -> dict[str, Any]:
    return {"error": {"errorMessage": message, "errorType": error_type, "stackTrace": stack}}


def report_failure(error: BaseException) -> dict[str, Any]:
    """Write the error to the log and return it as Lambda reports it."""
    frames = traceback.extract_tb(error.__traceback__)[1:]
    failure = build_failure(type(error).__name__, str(error), traceback.format_list(frames))
    if os.environ.get("AWS_LAMBDA_LOG_FORMAT") == "JSON":
        timestamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        sys.stderr.write(json.dumps({"timestamp": timestamp, "level": "ERROR", **failure["error"]}) + "\n")
    else:
        sys.stderr.write(f"[ERROR] {type(error).__name__}: {error}\n{traceback.format_exc()}")
    return failure


def load_handler(handler: str) -> Callable[[Any, Context], Any] | dict[str, Any]:
    """Return the handler's function, or the failure to load it."""
    module_name, _, function_name = handler.rpartition(".")
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        return build_failure("Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}", [])
    except Exception as error:  # noqa: BLE001 - the module may raise anything, and Lambda reports it
        return report_failure(error)
    try:
        return getattr(module, function_name)  # type: ignore[no-any-return]
    except AttributeError:
        message = f"Handler '{function_name}' missing on module '{module_name}'"
        return build_failure("Runtime.HandlerNotFound", message, [])


def run_handler(function: Callable[[Any, Context], Any], request: dict[str, Any]) -> dict[str, Any]:
    if request["trace_id"]:
        os.environ["_X_AMZN_TRACE_ID"] = request["trace_id"]
    else:
        os.environ.pop("_X_AMZN_TRACE_ID", None)
    try:
        result = function(request["event"], Context(request))
    except Exception as error:  # noqa: BLE001 - the handler may raise anything, and Lambda reports it
        return report_failure(error)
    try:
        text = json.dumps(result, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        return build_failure("Runtime.MarshalError", f"Unable to marshal response: {error}", [])
    if len(text.encode()) > RESPONSE_LIMIT_BYTES:
        message = f"Response payload size exceeded maximum allowed payload size ({RESPONSE_LIMIT_BYTES} bytes)."
        return build_failure("Function.ResponseSizeTooLarge", message, [])
    return {"result": result}


def main() -> None:
    requests = os.fdopen(os.dup(0), "rb")
    responses = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]

    def respond(response: dict[str, Any], request_id: str) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        os.write(2, b"\0" + request_id.encode() + b"\n")
        responses.write(json.dumps(response).encode() + b"\n")
        responses.flush()

    sys.path[:0] = sys.argv[2:-1]
    sys.path.append(sys.argv[-1])
    function = load_handler(sys.argv[1])
    if isinstance(function, dict):
        respond(function, "init")
        return
    respond({}, "init")
    for line in requests:
        request = json.loads(line)
        respond(run_handler(function, request), request["request_id"])


if __name__ == "__main__":
    main()
