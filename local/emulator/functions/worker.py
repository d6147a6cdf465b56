"""One Lambda environment: a Python process that handles one invocation at a time (`functions.bootstrap`)."""

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from local.emulator.functions import bootstrap, packages

# AWS gives the code 10 s to load, or the function's timeout if that is longer.
LOAD_TIMEOUT_SECONDS = 10.0

DEFAULT_LOG_LEVEL = "INFO"


class EnvironmentExitedError(Exception):
    """The process ended without a response."""


class Worker(lambda_runtime.Worker):  # type: ignore[misc]
    """An environment in MiniStack's pool, which acquires it for one invocation at a time and releases it."""

    is_retired = False
    _proc: Any

    def __init__(self, func_name: str, config: dict[str, Any], code_zip: bytes) -> None:
        super().__init__(func_name, config, code_zip)
        self.revision = compute_revision(config)
        now = time.gmtime()
        version = config.get("Version", "$LATEST")
        self.log_stream = f"{time.strftime('%Y/%m/%d', now)}/[{version}]{os.urandom(16).hex()}"
        self._responses = b""
        self._log = b""

    def _spawn(self) -> None:
        self._discard_tmpdir()
        self._tmpdir = tempfile.mkdtemp(prefix=f"{self.func_name}-")
        self._responses = self._log = b""
        code = packages.unpack_package(self.code_zip)
        layers = [_unpack_layer(layer) for layer in reversed(self.config.get("Layers") or [])]
        paths = [
            code,
            *(path for layer in layers for path in _list_import_folders(layer)),
            packages.get_runtime_folder(),
        ]
        self._proc = subprocess.Popen(
            # -S and -P keep this project's packages and the current folder off the function's import path.
            [sys.executable, "-S", "-P", bootstrap.__file__, self.config.get("Handler", ""), *map(str, paths)],
            cwd=code,
            env=self._build_environment(code),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
        )
        self._start_time = time.time()

    def _build_environment(self, code: Path) -> dict[str, str]:
        config = self.config
        name = config.get("FunctionName", "")
        _, region = lambda_runtime._account_region_from_function_config(config)
        variables = (config.get("Environment") or {}).get("Variables") or {}
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "TZ": ":UTC",
            "HOME": os.environ["HOME"],
            "TMPDIR": str(self._tmpdir),
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}",
            **{
                key: _localize_url(str(value))
                for key, value in variables.items()
                if key not in lambda_runtime._RESERVED_RUNTIME_ENV_VARS
            },
            "_HANDLER": config.get("Handler", ""),
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{config.get('Runtime', '')}",
            "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_LAMBDA_FUNCTION_VERSION": config.get("Version", "$LATEST"),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(config.get("MemorySize", 128)),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": self.log_stream,
            **_build_log_settings(config),
            "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
            "AWS_XRAY_DAEMON_ADDRESS": f"127.0.0.1:{os.environ['GATEWAY_PORT']}",
            "LAMBDA_TASK_ROOT": str(code),
            **lambda_runtime.execution_credentials(config),
        }

    def invoke(  # type: ignore[no-untyped-def]
        self, event: Any, request_id: str, *, trace_id: str | None = None, invoked_function_arn: str | None = None, **_
    ) -> dict[str, Any]:
        """Invoke the handler and return {"result"} or {"error": as Lambda reports it}, and always {"log"}."""
        with self._lock:
            timeout = float(self.config.get("Timeout", 3))
            try:
                if self._proc is None or self._proc.poll() is not None:
                    self._spawn()
                    load_response = self._read_response("init", max(LOAD_TIMEOUT_SECONDS, timeout))
                    if "error" in load_response:
                        return self._fail(load_response)
                request = {
                    "event": event,
                    "request_id": request_id,
                    "function_arn": invoked_function_arn or self.config.get("FunctionArn", ""),
                    "deadline": time.time() + timeout,
                    "trace_id": trace_id,
                }
                self._proc.stdin.write(json.dumps(request).encode() + b"\n")
                response = self._read_response(request_id, timeout)
            except TimeoutError:
                message = f"RequestId: {request_id} Error: Task timed out after {timeout:.2f} seconds"
                return self._fail(bootstrap.build_failure("Sandbox.Timedout", message, []), message)
            except (EnvironmentExitedError, OSError):
                code = self._end_process()
                message = f"RequestId: {request_id} Error: Runtime exited with error: exit status {code}"
                return self._fail(bootstrap.build_failure("Runtime.ExitError", message, []), message)
            return {**response, "log": self._pop_log()}

    def _read_response(self, request_id: str, timeout: float) -> dict[str, Any]:
        """Read the next response and all log before it. Raises TimeoutError, EnvironmentExitedError."""
        end = b"\0" + request_id.encode() + b"\n"
        deadline = time.monotonic() + timeout
        responses, log = self._proc.stdout.fileno(), self._proc.stderr.fileno()
        poll = select.poll()
        poll.register(responses, select.POLLIN)
        poll.register(log, select.POLLIN)
        while not (self._responses.endswith(b"\n") and self._log.endswith(end)):
            ready = poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
            if not ready:
                raise TimeoutError
            for descriptor, _event in ready:
                read = os.read(descriptor, 1 << 18)
                if descriptor == responses:
                    self._responses += read
                    if not read:
                        raise EnvironmentExitedError
                else:
                    self._log += read
                    if not read:
                        poll.unregister(log)
        self._log = self._log[: -len(end)]
        response, self._responses = self._responses, b""
        return json.loads(response)  # type: ignore[no-any-return]

    def _fail(self, response: dict[str, Any], line: str = "") -> dict[str, Any]:
        """End the process, which cannot be used again, and add `line` to the log of the invocation."""
        self._end_process()
        return {**response, "log": "\n".join(filter(None, [self._pop_log(), line]))}

    def _end_process(self) -> int | None:
        process, self._proc = self._proc, None
        if process is None:
            return None
        process.kill()
        code = process.wait()
        os.set_blocking(process.stderr.fileno(), False)
        self._log += (process.stderr.read() or b"").replace(b"\0", b"")
        for pipe in (process.stdin, process.stdout, process.stderr):
            pipe.close()
        return int(code)

    def _pop_log(self) -> str:
        log, self._log = self._log, b""
        return log.decode(errors="replace").rstrip("\n")


def _localize_url(value: str) -> str:
    """Replace the public address of the service, or of the token endpoint, by the one that this machine has for it."""
    file = Path(os.environ.get("PUBLIC_ADDRESSES", ""))
    addresses = json.loads(file.read_text()) if value.startswith("https://") and file.is_file() else {}
    for public, local in addresses.items():
        if value == public or value.startswith(f"{public}/"):
            return str(local + value.removeprefix(public))
    return value


def read_log_level(config: dict[str, Any]) -> str | None:
    """Return the level below which Lambda drops lines, or None for a function with plain text logs."""
    logging_config = config.get("LoggingConfig") or {}
    if logging_config.get("LogFormat") != "JSON":
        return None
    return str(logging_config.get("ApplicationLogLevel") or DEFAULT_LOG_LEVEL)


def _build_log_settings(config: dict[str, Any]) -> dict[str, str]:
    level = read_log_level(config)
    return {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": level} if level else {}


def compute_revision(config: dict[str, Any]) -> tuple[Any, ...]:
    """Return what an environment depends on. When it changes, the environment is outdated."""
    variables = (config.get("Environment") or {}).get("Variables")
    return (config.get("CodeSha256"), config.get("Handler"), variables, config.get("Layers"), config.get("Role"))


def _unpack_layer(layer: Any) -> Path:
    package = lambda_svc._resolve_layer_zip(layer)
    if not package:
        raise EnvironmentExitedError(f"the layer {layer} does not exist")
    return packages.unpack_package(package)


def _list_import_folders(layer: Path) -> list[Path]:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return [layer / "python" / "lib" / version / "site-packages", layer / "python", layer]
