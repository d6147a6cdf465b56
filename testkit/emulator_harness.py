"""Start an emulator as a process, as the local stack does, deploy to it and wait for its effects."""

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
MAX_TEMPLATE_BODY_BYTES = 51_200  # CloudFormation takes more only from S3
ROOT = Path(__file__).parents[1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Emulator:
    """A running emulator: `state` is the folder of its state, `log` its log file, `region` that of its clients."""

    port: int
    state: Path
    log: Path
    process: "subprocess.Popen[bytes]"
    region: str = "us-east-1"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, service: str, **credentials: str) -> Any:
        """Return a boto3 client with these credentials (boto3's names), by default those of the root user."""
        credentials = credentials or {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=self.region,
            config=botocore.config.Config(retries={"max_attempts": 1, "mode": "standard"}, max_pool_connections=20),
            **credentials,
        )  # type: ignore[call-overload]

    def stop(self) -> int:
        """Send SIGTERM and return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)


def start_emulator(state: Path, **environment: str) -> Emulator:
    """Start an emulator on a free port and wait until it is healthy.

    `environment` is added to the environment of its parent process.
    """
    for _ in range(3):
        emulator = _launch_emulator(state, environment)
        if _is_healthy_soon(emulator):
            return emulator
        emulator.process.kill()
        said = emulator.log.read_text()[-2000:] if emulator.log.exists() else ""
        # Another process can take the port between the search for one and the start.
        if "in use" not in said[-200:]:
            break
    raise RuntimeError(f"the emulator did not start: {said}")


def _launch_emulator(state: Path, environment: dict[str, str]) -> Emulator:
    port, log = free_port(), state / "emulator.log"
    process = subprocess.Popen(
        [sys.executable, "-m", "local.emulator", "--port", str(port), "--state", str(state), "--log", str(log)],
        cwd=ROOT,
        env={**os.environ, **environment},
    )
    return Emulator(port, state, log, process)


def _is_healthy_soon(emulator: Emulator) -> bool:
    """Whether the emulator answers before it ends, and within 30 seconds."""
    deadline = time.monotonic() + 30
    while emulator.process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{emulator.url}/_ministack/health", timeout=2):
                return True
        except OSError:
            time.sleep(0.05)
    return False


def wait_until(probe: Callable[[], Result], seconds: float = 10.0) -> Result:
    """Call `probe` every 20 ms and return its first true value. Fail the test after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        result = probe()
        if result:
            return result
        if time.monotonic() > deadline:
            pytest.fail(f"no true value within {seconds} seconds, the last was {result!r}")
        time.sleep(0.02)


def _pass_template(emulator: Emulator, name: str, body: str) -> dict[str, str]:
    """Pass a template in the request, or as an object if it is too long for that."""
    if len(body) <= MAX_TEMPLATE_BODY_BYTES:
        return {"TemplateBody": body}
    s3 = emulator.client("s3")
    s3.create_bucket(Bucket="templates")
    s3.put_object(Bucket="templates", Key=name, Body=body.encode())
    return {"TemplateURL": f"{emulator.url}/templates/{name}"}


def deploy_stack(emulator: Emulator, name: str, template: dict[str, Any]) -> dict[str, str]:
    """Create or update a stack from a SAM template and return its outputs.

    Raises StackFailedError with the reasons of the stack's events.
    """
    cloudformation = emulator.client("cloudformation")
    body = json.dumps({"Transform": "AWS::Serverless-2016-10-31", **template}, separators=(",", ":"))
    arguments = {
        "StackName": name,
        **_pass_template(emulator, name, body),
        "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    }
    try:
        cloudformation.describe_stacks(StackName=name)
    except cloudformation.exceptions.ClientError:
        cloudformation.create_stack(**arguments)
    else:
        cloudformation.update_stack(**arguments)

    def describe_if_finished() -> Any:
        stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        return None if stack["StackStatus"].endswith("IN_PROGRESS") else stack

    stack = wait_until(describe_if_finished, 60)
    if stack["StackStatus"] not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
        reasons = [event.get("ResourceStatusReason") for event in events if "FAILED" in event["ResourceStatus"]]
        raise StackFailedError(f"{stack['StackStatus']}: {reasons}")
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


class StackFailedError(Exception):
    """A deployment failed. The message contains the reasons of its events."""


def build_function(code: str, **properties: Any) -> dict[str, Any]:
    """Build a SAM function with this source. Its handler is `handle`."""
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
    """Invoke a function and return the decoded payload and the response of the Invoke call."""
    response = emulator.client("lambda").invoke(FunctionName=name, Payload=json.dumps(payload), **arguments)
    text = response["Payload"].read()
    return (json.loads(text) if text else None), response
