"""`sluice executions`: what the workflows do and did, and one execution in full."""

import argparse
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from ops.ending import failure
from ops.moments import duration, written
from ops.outcome import DONE, REMAINS, Mistake, Outcome
from ops.printing import table
from ops.progress import follow
from ops.reports import rebuild, recover, replay
from ops.stack import Stack
from ops.workflows import OUTPUTS, Execution, listed, machine
from ops.workflows import describe as described

_REPORTS: dict[str, Callable[[dict[str, Any]], list[str]]] = {
    "replay": replay.report,
    "recover": recover.report,
    "rebuild": rebuild.report,
}
_STATUSES = ("running", "succeeded", "failed", "aborted", "timed_out")


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("execution", metavar="EXECUTION", nargs="?", help="show this one, by name or ARN")
    parser.add_argument("--wait", action="store_true", help="until that one has ended")
    parser.add_argument("--workflow", choices=list(OUTPUTS), help="default: all but load_batch")
    parser.add_argument("--status", choices=_STATUSES)
    parser.add_argument("--limit", metavar="N", type=int, default=20, help="the latest N; default: 20")


def run(stack: Stack, arguments: argparse.Namespace) -> Outcome:
    """List executions, the latest first, or show one. Raises Mistake."""
    if arguments.execution:
        return _one(stack, arguments.execution, wait=arguments.wait)
    if arguments.wait:
        raise Mistake("--wait needs the name of an execution; `sluice executions` lists them.")
    if arguments.limit < 1:
        raise Mistake("--limit must be 1 or more.")
    present = [name for name in ("replay", "recover", "rebuild") if OUTPUTS[name] in stack.outputs]
    chosen = [arguments.workflow] if arguments.workflow else present
    status = arguments.status.upper() if arguments.status else None
    found = [one for name in chosen for one in listed(stack, name, status, arguments.limit)]
    found = sorted(found, key=lambda one: one.started, reverse=True)[: arguments.limit]
    rows = [(written(one.started), one.status.lower(), duration(one.seconds), one.workflow, one.name) for one in found]
    lines = table(("started", "status", "took", "workflow", "execution"), rows) if rows else ["no executions"]
    return Outcome([one.document() for one in found], lines)


def _one(stack: Stack, name: str, *, wait: bool) -> Outcome:
    found = _found(stack, name)
    if wait:
        found = follow(stack, found.arn)
    document = {**found.document(), "input": found.input, "output": found.output}
    lines = [f"{found.workflow} {found.name}: {found.status.lower()}, {duration(found.seconds)}"]
    if found.status == "RUNNING":
        return Outcome(document, lines)
    if found.status != "SUCCEEDED":
        return Outcome(document, [*lines, failure(found)], REMAINS)
    if report := _REPORTS.get(found.workflow):
        lines += report(found.output)
    incomplete = isinstance(found.output, dict) and found.output.get("status") == "incomplete"
    return Outcome(document, lines, REMAINS if incomplete else DONE)


def _found(stack: Stack, name: str) -> Execution:
    arns = [name] if name.startswith("arn:") else [
        f"{machine(stack, workflow).replace(':stateMachine:', ':execution:')}:{name}"
        for workflow in OUTPUTS
        if OUTPUTS[workflow] in stack.outputs
    ]  # fmt: skip
    for arn in arns:
        try:
            return described(stack, arn)
        except ClientError as error:
            if error.response["Error"]["Code"] not in {"ExecutionDoesNotExist", "InvalidArn"}:
                raise
    raise Mistake(f"There is no execution {name} in {stack.name}; `sluice executions` lists them.")
