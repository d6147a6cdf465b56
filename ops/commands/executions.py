"""`sluice executions`: what the workflows do and did, and one execution in full."""

import argparse
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from ops.aws import Stack
from ops.commands import rebuild, recover, replay
from ops.errors import EXIT_DONE, EXIT_INCOMPLETE, UsageError
from ops.output import CommandResult, format_table
from ops.progress import wait_for_execution
from ops.times import format_duration, format_time
from ops.workflows import WORKFLOW_OUTPUTS, Execution, describe_failure, get_state_machine_arn, list_executions
from ops.workflows import describe_execution as described

_REPORTS: dict[str, Callable[[dict[str, Any]], list[str]]] = {
    "replay": replay.format_report,
    "recover": recover.format_report,
    "rebuild": rebuild.format_report,
}


_STATUSES = ("running", "succeeded", "failed", "aborted", "timed_out")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("execution", metavar="EXECUTION", nargs="?", help="show this one, by name or ARN")
    parser.add_argument("--wait", action="store_true", help="until that one has ended")
    parser.add_argument("--workflow", choices=list(WORKFLOW_OUTPUTS), help="default: all but load_batch")
    parser.add_argument("--status", choices=_STATUSES)
    parser.add_argument("--limit", metavar="N", type=int, default=20, help="the latest N; default: 20")


def run(stack: Stack, arguments: argparse.Namespace) -> CommandResult:
    """List executions, the latest first, or show one. Raises Mistake."""
    if arguments.execution:
        return _show_execution(stack, arguments.execution, wait=arguments.wait)
    if arguments.wait:
        raise UsageError("--wait needs the name of an execution; `sluice executions` lists them.")
    if arguments.limit < 1:
        raise UsageError("--limit must be 1 or more.")
    present = [name for name in ("replay", "recover", "rebuild") if WORKFLOW_OUTPUTS[name] in stack.outputs]
    chosen = [arguments.workflow] if arguments.workflow else present
    status = arguments.status.upper() if arguments.status else None
    found = [one for name in chosen for one in list_executions(stack, name, status, arguments.limit)]
    found = sorted(found, key=lambda one: one.started, reverse=True)[: arguments.limit]
    rows = [
        (format_time(one.started), one.status.lower(), format_duration(one.seconds), one.workflow, one.name)
        for one in found
    ]
    lines = format_table(("started", "status", "took", "workflow", "execution"), rows) if rows else ["no executions"]
    return CommandResult([one.to_document() for one in found], lines)


def _show_execution(stack: Stack, name: str, *, wait: bool) -> CommandResult:
    found = _find_execution(stack, name)
    if wait:
        found = wait_for_execution(stack, found.arn)
    document = {**found.to_document(), "input": found.input, "output": found.output}
    lines = [f"{found.workflow} {found.name}: {found.status.lower()}, {format_duration(found.seconds)}"]
    if found.status == "RUNNING":
        return CommandResult(document, lines)
    if found.status != "SUCCEEDED":
        return CommandResult(document, [*lines, describe_failure(found)], EXIT_INCOMPLETE)
    if report := _REPORTS.get(found.workflow):
        lines += report(found.output)
    incomplete = isinstance(found.output, dict) and found.output.get("status") == "incomplete"
    return CommandResult(document, lines, EXIT_INCOMPLETE if incomplete else EXIT_DONE)


def _find_execution(stack: Stack, name: str) -> Execution:
    arns = [name] if name.startswith("arn:") else [
        f"{get_state_machine_arn(stack, workflow).replace(':stateMachine:', ':execution:')}:{name}"
        for workflow in WORKFLOW_OUTPUTS
        if WORKFLOW_OUTPUTS[workflow] in stack.outputs
    ]  # fmt: skip
    for arn in arns:
        try:
            return described(stack, arn)
        except ClientError as error:
            if error.response["Error"]["Code"] not in {"ExecutionDoesNotExist", "InvalidArn"}:
                raise
    raise UsageError(f"There is no execution {name} in {stack.name}; `sluice executions` lists them.")
