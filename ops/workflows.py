"""The workflows of a stack and their executions."""

import datetime
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ops.aws import REQUEST_ERRORS, Stack
from ops.errors import OperationError, UsageError
from ops.times import format_time

WORKFLOW_OUTPUTS = {
    "replay": "ReplayStateMachineArn",
    "recover": "RecoverStateMachineArn",
    "rebuild": "RebuildStateMachineArn",
    "load_batch": "LoadStateMachineArn",
}


@dataclass(frozen=True)
class Execution:
    """One execution as it was when asked. `said` is the sentence of a failure; times are aware."""

    workflow: str
    arn: str
    status: str
    started: datetime.datetime
    ended: datetime.datetime | None = None
    input: Any = None
    output: Any = None
    error: str = ""
    message: str = ""

    @property
    def name(self) -> str:
        return self.arn.rsplit(":", 1)[-1]

    @property
    def seconds(self) -> float:
        return ((self.ended or datetime.datetime.now(datetime.UTC)) - self.started).total_seconds()

    def to_document(self) -> dict[str, Any]:
        return {
            "execution": self.name,
            "workflow": self.workflow,
            "arn": self.arn,
            "status": self.status,
            "started": format_time(self.started),
            "ended": format_time(self.ended) if self.ended else None,
            "seconds": round(self.seconds, 1),
            "error": self.error or None,
            "sentence": self.message or None,
        }


def get_state_machine_arn(stack: Stack, workflow: str) -> str:
    """The ARN of a workflow. Raises Mistake when the stack has it not."""
    if WORKFLOW_OUTPUTS[workflow] not in stack.outputs:
        raise UsageError(f"The stack {stack.name} has no workflow {workflow}.")
    return stack.outputs[WORKFLOW_OUTPUTS[workflow]]


def start_execution(stack: Stack, workflow: str, request: Any) -> str:
    """Start an execution under a name that says when; returns its ARN."""
    now = datetime.datetime.now(datetime.UTC)
    name = f"{workflow}-{now:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
    arn = get_state_machine_arn(stack, workflow)
    started = stack.client("stepfunctions").start_execution(stateMachineArn=arn, name=name, input=json.dumps(request))
    return str(started["executionArn"])


def describe_execution(stack: Stack, arn: str) -> Execution:
    """An execution with its input, and with its output or error. Raises botocore's errors."""
    found = stack.client("stepfunctions").describe_execution(executionArn=arn)
    error, said = str(found.get("error") or ""), _extract_message(found.get("cause") or "")
    return Execution(
        workflow=_find_workflow_name(stack, str(found["stateMachineArn"])),
        arn=arn,
        status=found["status"],
        started=found["startDate"],
        ended=found.get("stopDate"),
        input=json.loads(found.get("input") or "null"),
        output=json.loads(found.get("output") or "null"),
        error=error,
        message=said,
    )


def list_executions(stack: Stack, workflow: str, status: str | None = None, limit: int = 100) -> list[Execution]:
    """The latest executions of a workflow, without input and output."""
    return list(islice(_iterate_executions(stack, workflow, status), limit))


def _iterate_executions(stack: Stack, workflow: str, status: str | None) -> Iterator[Execution]:
    wanted = {"statusFilter": status} if status else {}
    pages = stack.client("stepfunctions").get_paginator("list_executions")
    for page in pages.paginate(stateMachineArn=get_state_machine_arn(stack, workflow), **wanted):
        for one in page["executions"]:
            yield Execution(workflow, one["executionArn"], one["status"], one["startDate"], one.get("stopDate"))


def _find_workflow_name(stack: Stack, arn: str) -> str:
    return next(
        (name for name, key in WORKFLOW_OUTPUTS.items() if stack.outputs.get(key) == arn), arn.rsplit(":", 1)[-1]
    )


def _extract_message(cause: str) -> str:
    """What went wrong: a function's error comes as JSON text, a workflow's own as a sentence."""
    try:
        return str(json.loads(cause)["errorMessage"])
    except (ValueError, KeyError, TypeError):
        return cause


def require_success(execution: Execution) -> Execution:
    """The execution, if it succeeded. Raises Mistake where its input was wrong, Failure with a sentence otherwise."""
    if execution.status == "SUCCEEDED":
        return execution
    if execution.error in REQUEST_ERRORS:
        raise UsageError(execution.message)
    raise OperationError(describe_failure(execution))


def describe_failure(execution: Execution) -> str:
    """One sentence on an execution that did not succeed."""
    ended = {"FAILED": "failed", "ABORTED": "was stopped", "TIMED_OUT": "ran out of time"}
    verb = ended.get(execution.status, execution.status.lower())
    error = f" with {execution.error}" if execution.error else ""
    said = f": {execution.message.rstrip('.')}" if execution.message else ""
    return f"{execution.workflow} {verb}{error}{said}. (execution {execution.name})"
