"""Starting an emulator as it is started for real, as a process of its own, and waiting for what it does."""

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import boto3
import botocore.config
import pytest

Result = TypeVar("Result")
ROOT = Path(__file__).parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Emulator:
    """A running emulator: `url` without a trailing slash, `state` the folder it keeps, `log` its log file."""

    port: int
    state: Path
    log: Path
    process: "subprocess.Popen[bytes]"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, service: str, **credentials: str) -> Any:
        """A boto3 client of the account's root, or of the credentials given (boto3's names)."""
        chosen = credentials or {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            config=botocore.config.Config(retries={"max_attempts": 1, "mode": "standard"}, max_pool_connections=20),
            **chosen,
        )  # type: ignore[call-overload]

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)


def start_emulator(state: Path, **environment: str) -> Emulator:
    """Start one on a free port and wait until it is healthy; `environment` is added to the shell it is started from."""
    port, log = free_port(), state / "emulator.log"
    process = subprocess.Popen(
        [sys.executable, "-m", "local.emulator", "--port", str(port), "--state", str(state), "--log", str(log)],
        cwd=ROOT,
        env={**os.environ, **environment},
    )
    emulator = Emulator(port, state, log, process)
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(f"{emulator.url}/_ministack/health", timeout=2):
                return emulator
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                raise RuntimeError(f"no emulator: {log.read_text()[-2000:] if log.exists() else ''}") from None
            time.sleep(0.05)


def wait_until(probe: Callable[[], Result], seconds: float = 10.0) -> Result:
    """The first true value of `probe`, asked every 20 ms; fails the test after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > deadline:
            pytest.fail(f"nothing true within {seconds} seconds, last was {found!r}")
        time.sleep(0.02)


def deploy_stack(emulator: Emulator, name: str, template: dict[str, Any]) -> dict[str, str]:
    """Create or update a stack from a SAM template and return its outputs; fails the test with the stack's reason."""
    cloudformation = emulator.client("cloudformation")
    body = json.dumps({"Transform": "AWS::Serverless-2016-10-31", **template})
    arguments = {"StackName": name, "TemplateBody": body, "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]}
    try:
        cloudformation.describe_stacks(StackName=name)
    except cloudformation.exceptions.ClientError:
        cloudformation.create_stack(**arguments)
    else:
        cloudformation.update_stack(**arguments)

    def finished() -> Any:
        stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        return None if stack["StackStatus"].endswith("IN_PROGRESS") else stack

    stack = wait_until(finished, 60)
    if stack["StackStatus"] not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
        reasons = [event.get("ResourceStatusReason") for event in events if "FAILED" in event["ResourceStatus"]]
        raise StackFailedError(f"{stack['StackStatus']}: {reasons}")
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


class StackFailedError(Exception):
    """A deployment that did not succeed, with the reasons of its events."""


def build_function(code: str, **properties: Any) -> dict[str, Any]:
    """A SAM function of the given source, whose handler is `handle`."""
    return {
        "Type": "AWS::Serverless::Function",
        "Properties": {
            "Runtime": "python3.13",
            "Handler": "index.handle",
            "InlineCode": textwrap.dedent(code),
            "Timeout": 10,
            **properties,
        },
    }


def invoke_function(emulator: Emulator, name: str, payload: Any = None, **arguments: Any) -> tuple[Any, dict[str, Any]]:
    """The answer's payload, decoded, and the whole answer of the Invoke call."""
    answer = emulator.client("lambda").invoke(FunctionName=name, Payload=json.dumps(payload), **arguments)
    text = answer["Payload"].read()
    return (json.loads(text) if text else None), answer
