"""The stack's workflows and their executions."""

import datetime
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ops.moments import written
from ops.outcome import Mistake
from ops.stack import Stack

OUTPUTS = {
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
    said: str = ""

    @property
    def name(self) -> str:
        return self.arn.rsplit(":", 1)[-1]

    @property
    def seconds(self) -> float:
        return ((self.ended or datetime.datetime.now(datetime.UTC)) - self.started).total_seconds()

    def document(self) -> dict[str, Any]:
        return {
            "execution": self.name,
            "workflow": self.workflow,
            "arn": self.arn,
            "status": self.status,
            "started": written(self.started),
            "ended": written(self.ended) if self.ended else None,
            "seconds": round(self.seconds, 1),
            "error": self.error or None,
            "sentence": self.said or None,
        }


def machine(stack: Stack, workflow: str) -> str:
    """The ARN of a workflow. Raises Mistake when the stack has it not."""
    if OUTPUTS[workflow] not in stack.outputs:
        raise Mistake(f"The stack {stack.name} has no workflow {workflow}.")
    return stack.outputs[OUTPUTS[workflow]]


def start(stack: Stack, workflow: str, given: Any) -> str:
    """Start an execution under a name that says when; returns its ARN."""
    now = datetime.datetime.now(datetime.UTC)
    name = f"{workflow}-{now:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
    arn = machine(stack, workflow)
    started = stack.client("stepfunctions").start_execution(stateMachineArn=arn, name=name, input=json.dumps(given))
    return str(started["executionArn"])


def describe(stack: Stack, arn: str) -> Execution:
    """An execution with its input, and with its output or error. Raises botocore's errors."""
    found = stack.client("stepfunctions").describe_execution(executionArn=arn)
    error, said = str(found.get("error") or ""), _sentence(found.get("cause") or "")
    return Execution(
        workflow=_workflow(stack, str(found["stateMachineArn"])),
        arn=arn,
        status=found["status"],
        started=found["startDate"],
        ended=found.get("stopDate"),
        input=json.loads(found.get("input") or "null"),
        output=json.loads(found.get("output") or "null"),
        error=error,
        said=said,
    )


def listed(stack: Stack, workflow: str, status: str | None = None, most: int = 100) -> list[Execution]:
    """The latest executions of a workflow, without input and output."""
    return list(islice(_all(stack, workflow, status), most))


def _all(stack: Stack, workflow: str, status: str | None) -> Iterator[Execution]:
    wanted = {"statusFilter": status} if status else {}
    pages = stack.client("stepfunctions").get_paginator("list_executions")
    for page in pages.paginate(stateMachineArn=machine(stack, workflow), **wanted):
        for one in page["executions"]:
            yield Execution(workflow, one["executionArn"], one["status"], one["startDate"], one.get("stopDate"))


def _workflow(stack: Stack, arn: str) -> str:
    return next((name for name, key in OUTPUTS.items() if stack.outputs.get(key) == arn), arn.rsplit(":", 1)[-1])


def _sentence(cause: str) -> str:
    """What went wrong: a function's error comes as JSON text, a workflow's own as a sentence."""
    try:
        return str(json.loads(cause)["errorMessage"])
    except (ValueError, KeyError, TypeError):
        return cause
