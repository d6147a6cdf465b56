"""Runs one function or one workflow of the local stack with an event, and says what came of it."""

import base64
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from local.process import LocalError
from local.stack.stack import Stack

_FUNCTION, _WORKFLOW = "FunctionName", "StateMachineArn"


# The workflow has the name of its file; its output is the shorter one.
_WORKFLOW_OUTPUTS = {"LoadBatch": "LoadStateMachineArn"}


@dataclass(frozen=True)
class InvocationResult:
    status: str
    succeeded: bool
    output: Any
    log: str


def invoke(stack: Stack, name: str, event_file: Path, *, timeout: float = 300) -> InvocationResult:
    """Run the function or workflow of that short name (`Put`, `LoadBatch`). `timeout` in seconds. Raises LocalError."""
    try:
        event = json.loads(event_file.read_text())
    except (OSError, ValueError) as error:
        raise LocalError(f"{event_file} is not a readable JSON file: {error}.") from error
    workflow = stack.outputs.get(_WORKFLOW_OUTPUTS.get(name, f"{name}{_WORKFLOW}"))
    function = stack.outputs.get(f"{name}{_FUNCTION}")
    if function:
        return _invoke_function(stack, function, event)
    if workflow:
        return _run_workflow(stack, workflow, event, timeout)
    raise LocalError(f"There is no function or workflow {name}; there are: {', '.join(list_invocable_names(stack))}.")


def list_invocable_names(stack: Stack) -> list[str]:
    """The short names that can be invoked."""
    functions = [key.removesuffix(_FUNCTION) for key in stack.outputs if key.endswith(_FUNCTION)]
    named = {output: name for name, output in _WORKFLOW_OUTPUTS.items()}
    workflows = [named.get(key, key.removesuffix(_WORKFLOW)) for key in stack.outputs if key.endswith(_WORKFLOW)]
    return sorted(functions) + sorted(workflows)


def _invoke_function(stack: Stack, function: str, event: Any) -> InvocationResult:
    answer = stack.aws_client("lambda").invoke(FunctionName=function, Payload=json.dumps(event), LogType="Tail")
    failure = answer.get("FunctionError")
    return InvocationResult(
        status=f"{answer['StatusCode']} {failure}" if failure else str(answer["StatusCode"]),
        succeeded=failure is None,
        output=json.loads(answer["Payload"].read() or b"null"),
        log=base64.b64decode(answer.get("LogResult", "")).decode(errors="replace"),
    )


def _run_workflow(stack: Stack, workflow: str, event: Any, timeout: float) -> InvocationResult:
    client = stack.aws_client("stepfunctions")
    started = client.start_execution(stateMachineArn=workflow, name=f"invoke-{uuid4()}", input=json.dumps(event))
    execution = {"executionArn": started["executionArn"]}
    deadline = time.monotonic() + timeout
    while (found := client.describe_execution(**execution))["status"] == "RUNNING":
        if time.monotonic() > deadline:
            raise LocalError(f"The workflow did not end within {timeout:.0f} seconds: {started['executionArn']}.")
        time.sleep(0.1)
    history = client.get_execution_history(**execution, maxResults=1000)["events"]
    steps = [f"{event['timestamp']:%H:%M:%S} {event['type']} {_detail(event)}".rstrip() for event in history]
    output = found.get("output")
    answer = json.loads(output) if output else {key: found.get(key) for key in ("error", "cause")}
    return InvocationResult(found["status"], found["status"] == "SUCCEEDED", answer, "\n".join(steps))


def _detail(event: dict[str, Any]) -> str:
    for key, value in event.items():
        if key.endswith("EventDetails"):
            return str(value.get("name") or value.get("error") or "")
    return ""
