"""One Lambda environment: a Python process that answers invocations one at a time (`local.emulator.bootstrap`)."""

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

from local.emulator import bootstrap, packages

# AWS gives the loading of the code 10 s, and the function's own timeout when that was not enough.
LOADING_SECONDS = 10.0


class GoneError(Exception):
    """The process ended without an answer."""


class Worker(lambda_runtime.Worker):  # type: ignore[misc]
    """Fits MiniStack's pool: it is leased, used by one invocation at a time, and released."""

    retired = False
    _proc: Any

    def __init__(self, func_name: str, config: dict[str, Any], code_zip: bytes) -> None:
        super().__init__(func_name, config, code_zip)
        self.made_of = revision(config)
        now = time.gmtime()
        version = config.get("Version", "$LATEST")
        self.log_stream = f"{time.strftime('%Y/%m/%d', now)}/[{version}]{os.urandom(16).hex()}"
        self._answers = b""
        self._log = b""

    def _spawn(self) -> None:
        self._discard_tmpdir()
        self._tmpdir = tempfile.mkdtemp(prefix=f"{self.func_name}-")
        self._answers = self._log = b""
        code = packages.unpacked(self.code_zip)
        layers = [_layer_folder(layer) for layer in reversed(self.config.get("Layers") or [])]
        paths = [code, *(path for layer in layers for path in _import_folders(layer)), packages.runtime_folder()]
        self._proc = subprocess.Popen(
            # Neither this environment's packages nor the caller's folder are on a Lambda's import path.
            [sys.executable, "-S", "-P", bootstrap.__file__, self.config.get("Handler", ""), *map(str, paths)],
            cwd=code,
            env=self._environment(code),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
        )
        self._start_time = time.time()

    def _environment(self, code: Path) -> dict[str, str]:
        config = self.config
        name = config.get("FunctionName", "")
        _, region = lambda_runtime._account_region_from_function_config(config)
        own = (config.get("Environment") or {}).get("Variables") or {}
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "TZ": ":UTC",
            "HOME": os.environ["HOME"],
            "TMPDIR": str(self._tmpdir),
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}",
            **{key: str(value) for key, value in own.items() if key not in lambda_runtime._RESERVED_RUNTIME_ENV_VARS},
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
            "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
            "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000",
            "LAMBDA_TASK_ROOT": str(code),
            **lambda_runtime.execution_credentials(config),
        }

    def invoke(  # type: ignore[no-untyped-def]
        self, event: Any, request_id: str, *, trace_id: str | None = None, invoked_function_arn: str | None = None, **_
    ) -> dict[str, Any]:
        """One invocation: {"result"} or {"error": as Lambda reports it}, and always {"log"}."""
        with self._lock:
            timeout = float(self.config.get("Timeout", 3))
            try:
                if self._proc is None or self._proc.poll() is not None:
                    self._spawn()
                    loaded = self._answer("init", max(LOADING_SECONDS, timeout))
                    if "error" in loaded:
                        return self._failed(loaded)
                request = {
                    "event": event,
                    "request_id": request_id,
                    "function_arn": invoked_function_arn or self.config.get("FunctionArn", ""),
                    "deadline": time.time() + timeout,
                    "trace_id": trace_id,
                }
                self._proc.stdin.write(json.dumps(request).encode() + b"\n")
                answer = self._answer(request_id, timeout)
            except TimeoutError:
                message = f"RequestId: {request_id} Error: Task timed out after {timeout:.2f} seconds"
                return self._failed(bootstrap.failure("Sandbox.Timedout", message, []), message)
            except (GoneError, OSError):
                code = self._ended()
                message = f"RequestId: {request_id} Error: Runtime exited with error: exit status {code}"
                return self._failed(bootstrap.failure("Runtime.ExitError", message, []), message)
            return {**answer, "log": self._taken_log()}

    def _answer(self, mark: str, seconds: float) -> dict[str, Any]:
        """The next answer, with all log written before it read as well. Raises TimeoutError, GoneError."""
        end = b"\0" + mark.encode() + b"\n"
        deadline = time.monotonic() + seconds
        answers, log = self._proc.stdout.fileno(), self._proc.stderr.fileno()
        poll = select.poll()
        poll.register(answers, select.POLLIN)
        poll.register(log, select.POLLIN)
        while not (self._answers.endswith(b"\n") and self._log.endswith(end)):
            ready = poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
            if not ready:
                raise TimeoutError
            for descriptor, _event in ready:
                read = os.read(descriptor, 1 << 18)
                if descriptor == answers:
                    self._answers += read
                    if not read:
                        raise GoneError
                else:
                    self._log += read
                    if not read:
                        poll.unregister(log)
        self._log = self._log[: -len(end)]
        answer, self._answers = self._answers, b""
        return json.loads(answer)  # type: ignore[no-any-return]

    def _failed(self, answer: dict[str, Any], line: str = "") -> dict[str, Any]:
        """The environment is of no use any more: end it, and say why in its log."""
        self._ended()
        return {**answer, "log": "\n".join(filter(None, [self._taken_log(), line]))}

    def _ended(self) -> int | None:
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

    def _taken_log(self) -> str:
        taken, self._log = self._log, b""
        return taken.decode(errors="replace").rstrip("\n")


def revision(config: dict[str, Any]) -> tuple[Any, ...]:
    """What an environment is made of: when this differs, a new one is needed."""
    settings = (config.get("Environment") or {}).get("Variables")
    return (config.get("CodeSha256"), config.get("Handler"), settings, config.get("Layers"), config.get("Role"))


def _layer_folder(layer: Any) -> Path:
    package = lambda_svc._resolve_layer_zip(layer)
    if not package:
        raise GoneError(f"there is no layer {layer}")
    return packages.unpacked(package)


def _import_folders(layer: Path) -> list[Path]:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return [layer / "python" / "lib" / version / "site-packages", layer / "python", layer]
