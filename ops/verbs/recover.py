"""`sluice recover`: wait for the database, replay what is missing, report."""

import argparse
from typing import Any

from ops.ending import succeeded
from ops.moments import moment, written
from ops.outcome import DONE, Outcome
from ops.progress import follow
from ops.reports.recover import report
from ops.stack import Stack
from ops.waiting import waiting
from ops.workflows import start


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("--from", dest="begins", metavar="TIME", type=moment, help="look back so far; default: all")
    parser.add_argument("--dry-run", action="store_true", help="only say what the database is like and what is missing")
    parser.add_argument("--wait", action="store_true", help="until it has ended, and report")


def run(stack: Stack, arguments: argparse.Namespace) -> Outcome:
    """Start a recovery, and wait for it where that was asked for. Raises Mistake and Failure."""
    given = {"trigger": "hand", "from": written(arguments.begins) if arguments.begins else None, "min_age": 0}
    if arguments.dry_run:
        return _dry(stack, given)
    arn = start(stack, "recover", given)
    name = arn.rsplit(":", 1)[-1]
    if not arguments.wait:
        return Outcome(
            {"execution": name, "arn": arn, "status": "started", "request": given},
            [f"started {name}", f"`sluice executions {name} --wait` waits for it and reports."],
        )
    output = succeeded(follow(stack, arn)).output
    if output["outcome"] == "standing_by":
        # Another one is at work, and what it comes to is what was asked for.
        name = output["holder"].rsplit(":", 1)[-1]
        output = succeeded(follow(stack, output["holder"])).output
    return Outcome({"execution": name, **output}, report(output), DONE)


def _dry(stack: Stack, given: dict[str, Any]) -> Outcome:
    survey = stack.invoke("Survey", {})
    missing = waiting(stack, {"from": given["from"]}) if survey["primary"]["answers"] else None
    count = "what is missing cannot be told now" if missing is None else f"batches missing: {missing['batches']}"
    document = {"dry_run": True, "request": given, "database": survey, "waiting": missing}
    return Outcome(document, [f"dry run: nothing was started; {count}", f"  {survey['sentence']}"])
