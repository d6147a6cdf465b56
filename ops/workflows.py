"""The workflows of a stack, and their executions."""

import datetime
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ops.aws import REQUEST_ERRORS, Stack
from ops.errors import OperationError, UsageError
from ops.output import CommandResult
from ops.times import format_time

# The output of the stack that has the ARN of each workflow.
WORKFLOW_OUTPUTS = {
    "replay": "ReplayStateMachineArn",
    "recover": "RecoverStateMachineArn",
    "rebuild": "RebuildStateMachineArn",
    "restore": "RestoreStateMachineArn",
    "prove_backup": "ProveBackupStateMachineArn",
    "load_batch": "LoadStateMachineArn",
}


@dataclass(frozen=True)
class Execution:
    """The state of an execution when it was read.

    `message` is the sentence of a failure, `hint` the sentence how to go on if the message does not say it. Times have
    a time zone.
    """

    workflow: str
    arn: str
    status: str
    started: datetime.datetime
    ended: datetime.datetime | None = None
    input: Any = None
    output: Any = None
    error: str = ""
    message: str = ""
    hint: str = ""

    @property
    def name(self) -> str:
        return get_execution_name(self.arn)

    @property
    def seconds(self) -> float:
        return ((self.ended or datetime.datetime.now(datetime.UTC)) - self.started).total_seconds()

    def to_document(self) -> dict[str, Any]:
        """The execution for `--json`, without its input and output."""
        return {
            "execution": self.name,
            "workflow": self.workflow,
            "arn": self.arn,
            "status": self.status,
            "started": format_time(self.started),
            "ended": format_time(self.ended) if self.ended else None,
            "seconds": round(self.seconds, 1),
            "error": self.error or None,
            "message": self.message or None,
            "hint": self.hint or None,
        }


def get_execution_name(arn: str) -> str:
    return arn.rsplit(":", 1)[-1]


def has_workflow(stack: Stack, workflow: str) -> bool:
    """Whether the stack has the workflow: older versions lack some."""
    return WORKFLOW_OUTPUTS[workflow] in stack.outputs


def get_state_machine_arn(stack: Stack, workflow: str) -> str:
    """The ARN of a workflow. Raises UsageError when the stack lacks it."""
    if not has_workflow(stack, workflow):
        raise UsageError(f"The stack {stack.name} has no workflow {workflow}.")
    return stack.outputs[WORKFLOW_OUTPUTS[workflow]]


def start_execution(stack: Stack, workflow: str, request: Any) -> str:
    """Start an execution with a name that contains the time. Returns its ARN."""
    now = datetime.datetime.now(datetime.UTC)
    name = f"{workflow}-{now:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
    arn = get_state_machine_arn(stack, workflow)
    started = stack.client("stepfunctions").start_execution(stateMachineArn=arn, name=name, input=json.dumps(request))
    return str(started["executionArn"])


def build_started_result(arn: str, request: Any) -> CommandResult:
    """The result of a command that starts an execution and does not wait for it."""
    name = get_execution_name(arn)
    return CommandResult(
        {"execution": name, "arn": arn, "status": "started", "request": request},
        [f"started {name}", f"`sluice executions {name} --wait` waits for it and reports."],
    )


def describe_execution(stack: Stack, arn: str) -> Execution:
    """Read an execution, with its input and its output or error. Raises the exceptions of botocore."""
    description = stack.client("stepfunctions").describe_execution(executionArn=arn)
    workflow = _find_workflow_name(stack, str(description["stateMachineArn"]))
    is_stopped_restore = workflow == "restore" and description["status"] in {"ABORTED", "TIMED_OUT"}
    return Execution(
        workflow=workflow,
        arn=arn,
        status=description["status"],
        started=description["startDate"],
        ended=description.get("stopDate"),
        input=json.loads(description.get("input") or "null"),
        output=json.loads(description.get("output") or "null"),
        error=str(description.get("error") or ""),
        message=_extract_message(description.get("cause") or ""),
        hint=_suggest_continuation(stack, arn) if is_stopped_restore else "",
    )


def _suggest_continuation(stack: Stack, arn: str) -> str:
    """The command that continues a restore. One that fails names it in its message, but one that is stopped cannot."""
    history = stack.client("stepfunctions").get_execution_history(executionArn=arn, maxResults=1000)
    outputs = (event.get("stateExitedEventDetails", {}).get("output") for event in history["events"])
    states = (json.loads(output) for output in outputs if output)
    planned = next((state for state in states if isinstance(state, dict) and "plan" in state), None)
    if planned is None or planned["request"].get("dry_run"):
        return ""
    request, stamp = planned["request"], planned["stamp"]
    options = [f"--{name} {request[name]}" for name in ("to", "snapshot", "promote") if request.get(name)]
    options += ["--delete-old-replicas"] if request.get("delete_old_replicas") else []
    return f"Continue with `{' '.join(['sluice restore', *options, '--continue', stamp])}`."


def list_executions(stack: Stack, workflow: str, status: str | None = None, limit: int = 100) -> list[Execution]:
    """The latest executions of a workflow, without input and output."""
    return list(islice(_iterate_executions(stack, workflow, status), limit))


def _iterate_executions(stack: Stack, workflow: str, status: str | None) -> Iterator[Execution]:
    status_filter = {"statusFilter": status} if status else {}
    paginator = stack.client("stepfunctions").get_paginator("list_executions")
    for page in paginator.paginate(stateMachineArn=get_state_machine_arn(stack, workflow), **status_filter):
        for entry in page["executions"]:
            yield Execution(workflow, entry["executionArn"], entry["status"], entry["startDate"], entry.get("stopDate"))


def _find_workflow_name(stack: Stack, state_machine_arn: str) -> str:
    names = (name for name, key in WORKFLOW_OUTPUTS.items() if stack.outputs.get(key) == state_machine_arn)
    return next(names, state_machine_arn.rsplit(":", 1)[-1])


def _extract_message(cause: str) -> str:
    """The message of a failure: a function's error is JSON, a workflow's own error is a sentence."""
    try:
        return str(json.loads(cause)["errorMessage"])
    except (ValueError, KeyError, TypeError):
        return cause


def require_success(execution: Execution) -> Execution:
    """Return an execution that succeeded.

    Raises UsageError when the workflow rejected its input, OperationError when it failed otherwise.
    """
    if execution.status == "SUCCEEDED":
        return execution
    if execution.error in REQUEST_ERRORS:
        raise UsageError(execution.message)
    raise OperationError(describe_failure(execution))


def describe_failure(execution: Execution) -> str:
    """A sentence about an execution that did not succeed, and its hint."""
    endings = {"FAILED": "failed", "ABORTED": "was stopped", "TIMED_OUT": "timed out"}
    ending = endings.get(execution.status, execution.status.lower())
    error = f" with {execution.error}" if execution.error else ""
    message = f": {execution.message.rstrip('.')}" if execution.message else ""
    hint = f" {execution.hint}" if execution.hint else ""
    return f"{execution.workflow} {ending}{error}{message}. (execution {execution.name}){hint}"
