"""`sluice recover`: wait for the database, replay what is missing, report.

The output of a recovery.
"""

import argparse
from typing import Any

from ops.aws import Stack
from ops.batches import count_pending_batches
from ops.commands import replay
from ops.errors import EXIT_DONE
from ops.output import CommandResult
from ops.progress import wait_for_execution
from ops.times import format_duration, format_time, parse_time
from ops.workflows import require_success, start_execution


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("--from", dest="begins", metavar="TIME", type=parse_time, help="look back so far; default: all")
    parser.add_argument("--dry-run", action="store_true", help="only say what the database is like and what is missing")
    parser.add_argument("--wait", action="store_true", help="until it has ended, and report")


def run(stack: Stack, arguments: argparse.Namespace) -> CommandResult:
    """Start a recovery, and wait for it where that was asked for. Raises Mistake and Failure."""
    given = {"trigger": "hand", "from": format_time(arguments.begins) if arguments.begins else None, "min_age": 0}
    if arguments.dry_run:
        return _dry_run(stack, given)
    arn = start_execution(stack, "recover", given)
    name = arn.rsplit(":", 1)[-1]
    if not arguments.wait:
        return CommandResult(
            {"execution": name, "arn": arn, "status": "started", "request": given},
            [f"started {name}", f"`sluice executions {name} --wait` waits for it and reports."],
        )
    output = require_success(wait_for_execution(stack, arn)).output
    if output["outcome"] == "already_running":
        # Another one is at work, and what it comes to is what was asked for.
        name = output["holder"].rsplit(":", 1)[-1]
        output = require_success(wait_for_execution(stack, output["holder"])).output
    return CommandResult({"execution": name, **output}, format_report(output), EXIT_DONE)


def _dry_run(stack: Stack, given: dict[str, Any]) -> CommandResult:
    survey = stack.invoke("HealthCheck", {})
    missing = count_pending_batches(stack, {"from": given["from"]}) if survey["primary"]["answers"] else None
    count = "what is missing cannot be told now" if missing is None else f"batches missing: {missing['batches']}"
    document = {"dry_run": True, "request": given, "database": survey, "waiting": missing}
    return CommandResult(document, [f"dry run: nothing was started; {count}", f"  {survey['sentence']}"])


def format_report(output: dict[str, Any]) -> list[str]:
    """The lines for it."""
    if output["outcome"] == "already_running":
        return [f"standing by: another recovery is at work, {output['holder'].rsplit(':', 1)[-1]}"]
    waited = f"the wait for the primary was {format_duration(output['waited'] or 0)}"
    took = f" in {format_duration(output['seconds'])}" if "seconds" in output else ""
    head = {"recovered": "recovered", "nothing_missing": "nothing was missing"}[output["outcome"]]
    database = output.get("database") or {}
    lines = [f"{head}{took}; {waited}", *([f"  {database['sentence']}"] if "sentence" in database else [])]
    return lines + (
        [f"  {line}" for line in replay.format_report(output["replay"])] if output["replay"]["planned"] else []
    )
