"""What runs in the process of one Lambda environment: load the handler, then answer one invocation after the other.

Arguments: the handler (`module.function`), then the folders of its import path in order. Requests come as JSON lines on
standard input and answers go as JSON lines to standard output, both moved away so that the handler's own output is
log. A line of a zero byte and the request's id closes the log of each invocation. Standard library only.
"""

import importlib
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

ANSWER_LIMIT = 6_291_556


class Context:
    """What Lambda hands the handler beside the event."""

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


def failure(error_type: str, message: str, stack: list[str]) -> dict[str, Any]:
    return {"error": {"errorMessage": message, "errorType": error_type, "stackTrace": stack}}


def failure_of(error: BaseException) -> dict[str, Any]:
    """The error as Lambda reports it, its log entry written."""
    sys.stderr.write(f"[ERROR] {type(error).__name__}: {error}\n{traceback.format_exc()}")
    frames = traceback.extract_tb(error.__traceback__)[1:]
    return failure(type(error).__name__, str(error), traceback.format_list(frames))


def load(handler: str) -> Callable[[Any, Context], Any] | dict[str, Any]:
    """The handler's function, or the failure to load it."""
    module_name, _, function_name = handler.rpartition(".")
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        return failure("Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}", [])
    except Exception as error:  # noqa: BLE001 - whatever the module raises is the answer
        return failure_of(error)
    try:
        return getattr(module, function_name)  # type: ignore[no-any-return]
    except AttributeError:
        return failure("Runtime.HandlerNotFound", f"Handler '{function_name}' missing on module '{module_name}'", [])


def handle(function: Callable[[Any, Context], Any], request: dict[str, Any]) -> dict[str, Any]:
    if request["trace_id"]:
        os.environ["_X_AMZN_TRACE_ID"] = request["trace_id"]
    else:
        os.environ.pop("_X_AMZN_TRACE_ID", None)
    try:
        result = function(request["event"], Context(request))
    except Exception as error:  # noqa: BLE001 - whatever the handler raises is the answer
        return failure_of(error)
    try:
        text = json.dumps(result, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        return failure("Runtime.MarshalError", f"Unable to marshal response: {error}", [])
    if len(text.encode()) > ANSWER_LIMIT:
        message = f"Response payload size exceeded maximum allowed payload size ({ANSWER_LIMIT} bytes)."
        return failure("Function.ResponseSizeTooLarge", message, [])
    return {"result": result}


def main() -> None:
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]

    def answer(what: dict[str, Any], mark: str) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        os.write(2, b"\0" + mark.encode() + b"\n")
        answers.write(json.dumps(what).encode() + b"\n")
        answers.flush()

    sys.path[:0] = sys.argv[2:-1]
    sys.path.append(sys.argv[-1])
    function = load(sys.argv[1])
    if isinstance(function, dict):
        answer(function, "init")
        return
    answer({}, "init")
    for line in requests:
        request = json.loads(line)
        answer(handle(function, request), request["request_id"])


if __name__ == "__main__":
    main()
