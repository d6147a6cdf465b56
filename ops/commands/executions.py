"""`sluice executions`: list the executions of the workflows, or show one."""

import argparse
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from ops.aws import Stack
from ops.commands import prove_backup, rebuild, recover, replay, restore
from ops.errors import EXIT_DONE, EXIT_INCOMPLETE, UsageError
from ops.output import CommandResult, format_table
from ops.progress import wait_for_execution
from ops.times import format_duration, format_time
from ops.workflows import (
    WORKFLOW_OUTPUTS,
    Execution,
    describe_execution,
    describe_failure,
    get_state_machine_arn,
    has_workflow,
    list_executions,
)

SUMMARY = "list the executions of the workflows, or show one"

_REPORTS: dict[str, Callable[[dict[str, Any]], list[str]]] = {
    "replay": replay.format_report,
    "recover": recover.format_report,
    "rebuild": rebuild.format_report,
    "restore": restore.format_report,
    "prove_backup": prove_backup.format_report,
}
_HEADER = ("started", "status", "duration", "workflow", "execution")
_STATUSES = ("running", "succeeded", "failed", "aborted", "timed_out")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("execution", metavar="EXECUTION", nargs="?", help="show this one: its name or its ARN")
    parser.add_argument("--wait", action="store_true", help="wait until EXECUTION ends")
    parser.add_argument(
        "--workflow", choices=list(WORKFLOW_OUTPUTS), help="workflow to list (default: all but load_batch)"
    )
    parser.add_argument("--status", choices=_STATUSES, help="status to list (default: every status)")
    parser.add_argument("--limit", metavar="N", type=int, default=20, help="list the latest N (default: 20)")


def run(stack: Stack, arguments: argparse.Namespace) -> CommandResult:
    """List executions, the latest first, or show one. Raises UsageError."""
    if arguments.execution:
        return _show_execution(stack, arguments.execution, wait=arguments.wait)
    if arguments.wait:
        raise UsageError("--wait needs the name of an execution.", "`sluice executions` lists them.")
    if arguments.limit < 1:
        raise UsageError("--limit must be 1 or more.")
    status = arguments.status.upper() if arguments.status else None
    deployed = [workflow for workflow in _REPORTS if has_workflow(stack, workflow)]
    executions = [
        execution
        for workflow in ([arguments.workflow] if arguments.workflow else deployed)
        for execution in list_executions(stack, workflow, status, arguments.limit)
    ]
    executions = sorted(executions, key=lambda execution: execution.started, reverse=True)[: arguments.limit]
    lines = format_table(_HEADER, map(_format_row, executions)) if executions else ["there are no executions"]
    return CommandResult([execution.to_document() for execution in executions], lines)


def _format_row(execution: Execution) -> tuple[str, ...]:
    return (
        format_time(execution.started),
        execution.status.lower(),
        format_duration(execution.seconds),
        execution.workflow,
        execution.name,
    )


def _show_execution(stack: Stack, name: str, *, wait: bool) -> CommandResult:
    execution = find_execution(stack, name)
    return format_execution(wait_for_execution(stack, execution.arn) if wait else execution)


def format_execution(execution: Execution) -> CommandResult:
    """An execution with its report, or with the sentence of its failure."""
    document = {**execution.to_document(), "input": execution.input, "output": execution.output}
    status, duration = execution.status.lower(), format_duration(execution.seconds)
    lines = [f"{execution.workflow} {execution.name}: {status}, {duration}"]
    if execution.status == "RUNNING":
        return CommandResult(document, lines)
    if execution.status != "SUCCEEDED":
        return CommandResult(document, [*lines, describe_failure(execution)], EXIT_INCOMPLETE)
    if format_report := _REPORTS.get(execution.workflow):
        lines += format_report(execution.output)
    is_incomplete = isinstance(execution.output, dict) and execution.output.get("status") == "incomplete"
    return CommandResult(document, lines, EXIT_INCOMPLETE if is_incomplete else EXIT_DONE)


def find_execution(stack: Stack, name: str, only: str = "") -> Execution:
    """Find an execution by its ARN, or by its name in every workflow, or in `only` one. Raises UsageError."""
    arns = [name] if name.startswith("arn:") else [
        f"{get_state_machine_arn(stack, workflow).replace(':stateMachine:', ':execution:')}:{name}"
        for workflow in ([only] if only else WORKFLOW_OUTPUTS)
        if has_workflow(stack, workflow)
    ]  # fmt: skip
    for arn in arns:
        try:
            return describe_execution(stack, arn)
        except ClientError as error:
            if error.response["Error"]["Code"] not in {"ExecutionDoesNotExist", "InvalidArn"}:
                raise
    raise UsageError(f"There is no execution {name} in {stack.name}.", "`sluice executions` lists them.")
