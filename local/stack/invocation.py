"""Run one function or one workflow of the local stack with an event."""

import base64
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from local.process import LocalError
from local.stack.stack import Stack

_FUNCTION_SUFFIX, _WORKFLOW_SUFFIX = "FunctionName", "StateMachineArn"
# The workflow is named after its file; its output has a shorter name.
_WORKFLOW_OUTPUTS = {"LoadBatch": "LoadStateMachineArn"}


@dataclass(frozen=True)
class InvocationResult:
    """`output` is the JSON that the function or workflow returned; `log` has one line per log line or workflow
    event."""

    status: str
    succeeded: bool
    output: Any
    log: str


def invoke(stack: Stack, name: str, event_file: Path, *, timeout: float = 300) -> InvocationResult:
    """Run a function or workflow by its short name (`Put`, `LoadBatch`). `timeout` is in seconds. Raises LocalError."""
    try:
        event = json.loads(event_file.read_text())
    except (OSError, ValueError) as error:
        raise LocalError(f"{event_file} is not a readable JSON file: {error}.") from error
    workflow = stack.outputs.get(_WORKFLOW_OUTPUTS.get(name, f"{name}{_WORKFLOW_SUFFIX}"))
    function = stack.outputs.get(f"{name}{_FUNCTION_SUFFIX}")
    if function:
        return _invoke_function(stack, function, event)
    if workflow:
        return _run_workflow(stack, workflow, event, timeout)
    names = ", ".join(list_invocable_names(stack))
    raise LocalError(f"There is no function or workflow {name}; there are: {names}.")


def list_invocable_names(stack: Stack) -> list[str]:
    """The short names of the functions, then those of the workflows."""
    names_by_output = {output: name for name, output in _WORKFLOW_OUTPUTS.items()}
    functions = [key.removesuffix(_FUNCTION_SUFFIX) for key in stack.outputs if key.endswith(_FUNCTION_SUFFIX)]
    workflows = [
        names_by_output.get(key, key.removesuffix(_WORKFLOW_SUFFIX))
        for key in stack.outputs
        if key.endswith(_WORKFLOW_SUFFIX)
    ]
    return sorted(functions) + sorted(workflows)


def _invoke_function(stack: Stack, function: str, event: Any) -> InvocationResult:
    response = stack.aws_client("lambda").invoke(FunctionName=function, Payload=json.dumps(event), LogType="Tail")
    failure = response.get("FunctionError")
    return InvocationResult(
        status=f"{response['StatusCode']} {failure}" if failure else str(response["StatusCode"]),
        succeeded=failure is None,
        output=json.loads(response["Payload"].read() or b"null"),
        log=base64.b64decode(response.get("LogResult", "")).decode(errors="replace"),
    )


def _run_workflow(stack: Stack, workflow: str, event: Any, timeout: float) -> InvocationResult:
    client = stack.aws_client("stepfunctions")
    started = client.start_execution(stateMachineArn=workflow, name=f"invoke-{uuid4()}", input=json.dumps(event))
    execution = {"executionArn": started["executionArn"]}
    deadline = time.monotonic() + timeout
    while (description := client.describe_execution(**execution))["status"] == "RUNNING":
        if time.monotonic() > deadline:
            raise LocalError(f"The workflow did not end within {timeout:.0f} seconds: {started['executionArn']}.")
        time.sleep(0.1)
    history = client.get_execution_history(**execution, maxResults=1000)["events"]
    lines = [f"{event['timestamp']:%H:%M:%S} {event['type']} {_describe_event(event)}".rstrip() for event in history]
    text = description.get("output")
    output = json.loads(text) if text else {key: description.get(key) for key in ("error", "cause")}
    status = description["status"]
    return InvocationResult(status, status == "SUCCEEDED", output, "\n".join(lines))


def _describe_event(event: dict[str, Any]) -> str:
    for key, value in event.items():
        if key.endswith("EventDetails"):
            return str(value.get("name") or value.get("error") or "")
    return ""
