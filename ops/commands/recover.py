"""`sluice recover`: wait for the database, replay the missing batches, report."""

import argparse
from typing import Any

from ops.aws import Stack
from ops.batches import count_pending_batches
from ops.commands import replay
from ops.output import CommandResult, format_batches
from ops.progress import wait_for_execution
from ops.times import format_duration, format_time, parse_time
from ops.workflows import build_started_result, get_execution_name, require_success, start_execution

SUMMARY = "wait for the database, replay the missing batches, report"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "--from", dest="begins", metavar="TIME", type=parse_time,
        help="search for missing batches since this time (default: the beginning)",
    )  # fmt: skip
    parser.add_argument(
        "--dry-run", action="store_true", help="report the database and the missing batches; start nothing"
    )
    parser.add_argument("--wait", action="store_true", help="wait until the recovery ends, and report")


def run(stack: Stack, arguments: argparse.Namespace) -> CommandResult:
    """Start a recovery, and wait for it with `--wait`. Raises CommandError."""
    begins = format_time(arguments.begins) if arguments.begins else None
    request = {"trigger": "operator", "from": begins, "min_age": 0}
    if arguments.dry_run:
        return _dry_run(stack, request)
    arn = start_execution(stack, "recover", request)
    if not arguments.wait:
        return build_started_result(arn, request)
    output = require_success(wait_for_execution(stack, arn)).output
    if output["outcome"] == "already_running":
        # Another recovery runs already: its result answers this command.
        arn = output["holder"]
        output = require_success(wait_for_execution(stack, arn)).output
    return CommandResult({"execution": get_execution_name(arn), **output}, format_report(output))


def _dry_run(stack: Stack, request: dict[str, Any]) -> CommandResult:
    health = stack.invoke("HealthCheck", {})
    pending = count_pending_batches(stack, {"from": request["from"]}) if health["primary"]["is_reachable"] else None
    missing = "missing batches: unknown" if pending is None else f"missing: {format_batches(pending['batches'])}"
    document = {"dry_run": True, "request": request, "database": health, "pending": pending}
    return CommandResult(document, [f"dry run: nothing was started; {missing}", f"  {health['summary']}"])


def format_report(output: dict[str, Any]) -> list[str]:
    """The lines for the output of a recovery."""
    if output["outcome"] == "already_running":
        return [f"another recovery is running: {get_execution_name(output['holder'])}"]
    headline = {"recovered": "recovered", "nothing_missing": "nothing was missing"}[output["outcome"]]
    duration = f" in {format_duration(output['seconds'])}" if "seconds" in output else ""
    waited = format_duration(output["waited"] or 0)
    lines = [f"{headline}{duration}; waited {waited} for the primary"]
    database = output.get("database") or {}
    if "summary" in database:
        lines.append(f"  {database['summary']}")
    if output["replay"]["planned"]:
        lines += [f"  {line}" for line in replay.format_report(output["replay"])]
    return lines
