"""The path of one POST through the modules of src/sluice, traced as it runs.

A call from one module into another is a step of the path. A step into a module that the path had entered before is a
return: the reader has to open that file once more.

A child process imports the handler, answers one sample event to warm up, and traces the second. The stream is a
server on loopback that takes every record.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from testkit.aws_stub import serve_aws_stub

ROOT = Path(__file__).resolve().parents[1]

EVENT = "events/post/booking.json"
# They carry log lines, traces and AWS calls for every path, as a library would: the path of the request ends at them.
LIBRARIES = ("observability.py", "tracing.py", "aws/")
SETTINGS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_REGION": "eu-west-1",
    "POWERTOOLS_TRACE_DISABLED": "1",
    "POWERTOOLS_SERVICE_NAME": "sluice",
    "POWERTOOLS_METRICS_NAMESPACE": "Sluice",
    "STREAM_NAME": "writes",
    "BUFFER_SECONDS": "60",
}


@dataclass(frozen=True)
class PostPath:
    """Which modules a POST enters, and by which calls.

    `modules` are in the order of their first call. `calls` are the calls from one module into another, in order.
    `returns` are those of them that enter a module which the path had entered before.
    """

    modules: list[str]
    calls: list[str]
    returns: list[str]


def trace_post(root: Path) -> PostPath:
    """Trace a POST in the checkout at `root`. Raises CalledProcessError when the handler does not answer 202."""
    with serve_aws_stub() as endpoint:
        # The package of the traced checkout, and this checkout's own stub.
        path = f"src{os.pathsep}{ROOT}"
        environment = {**SETTINGS, "PATH": os.environ["PATH"], "AWS_ENDPOINT_URL": endpoint, "PYTHONPATH": path}
        command = [sys.executable, str(Path(__file__).resolve()), EVENT]
        output = subprocess.run(command, cwd=root, env=environment, check=True, capture_output=True, text=True).stdout
    edges = [tuple(edge) for edge in json.loads(output.splitlines()[-1])]
    modules: list[str] = []
    returns, calls = [], []
    for caller, called, function in edges:
        calls.append(f"{caller or 'Lambda'} -> {called} ({function})")
        if called in modules:
            returns.append(calls[-1])
        else:
            modules.append(called)
    return PostPath(modules, calls, returns)


class _Tracer:
    """Notes each call from one module of the package into another. Generated code and module bodies don't count."""

    def __init__(self, package: Path) -> None:
        self.package = f"{package}{os.sep}"
        self.edges: list[tuple[str, str, str]] = []

    def __call__(self, frame: FrameType, event: str, _argument: object) -> None:
        if event != "call" or not (called := self._module_of(frame)) or frame.f_code.co_name == "<module>":
            return
        caller, outer = "", frame.f_back
        while outer and not caller:
            caller, outer = self._module_of(outer), outer.f_back
        if caller != called:
            self.edges.append((caller, called, frame.f_code.co_name))

    def _module_of(self, frame: FrameType) -> str:
        file = frame.f_code.co_filename
        module = file.removeprefix(self.package) if file.startswith(self.package) else ""
        return "" if module.startswith(LIBRARIES) else module


def _trace_in_this_process(event_file: str) -> None:
    import importlib  # noqa: PLC0415

    event = json.loads(Path(event_file).read_text())
    handle = importlib.import_module("sluice.handlers.post").handle

    class Context:
        aws_request_id = "6f3f3a0e-request"
        function_name = "function"
        memory_limit_in_mb = 1024
        invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:function"

    handle(event, Context())
    tracer = _Tracer(Path("src/sluice").resolve())
    sys.setprofile(tracer)
    answer = handle(event, Context())
    sys.setprofile(None)
    if answer["statusCode"] != 202:
        raise SystemExit(f"expected 202: {answer}")
    print(json.dumps(tracer.edges))


if __name__ == "__main__":
    _trace_in_this_process(sys.argv[1])
