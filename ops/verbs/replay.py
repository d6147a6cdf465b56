"""`sluice replay`: load what the ledger lacks."""

import argparse
from typing import Any

from ops.delivered import anything_delivered
from ops.ending import succeeded
from ops.moments import moment, written
from ops.outcome import Mistake, Outcome
from ops.progress import follow
from ops.reports.replay import code, report
from ops.stack import Stack
from ops.workflows import start


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("--from", dest="begins", metavar="TIME", type=moment, help="of arrival; default: the beginning")
    parser.add_argument("--to", dest="ends", metavar="TIME", type=moment, help="of arrival; default: now")
    parser.add_argument(
        "--collection", dest="collections", metavar="NAME", action="append", default=[],
        help="load only writes to it; may be given again",
    )  # fmt: skip
    parser.add_argument("--source", choices=["batches", "archive"], default="batches", help="default: batches")
    parser.add_argument(
        "--mode", choices=["missing", "all"],
        help="what the ledger lacks (default), or all of the window; from the archive it is always all",
    )  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="only say what would be loaded")
    parser.add_argument("--wait", action="store_true", help="until it has ended, and report")


def run(stack: Stack, arguments: argparse.Namespace) -> Outcome:
    """Start a replay, and wait for it where that was asked for. Raises Mistake and Failure."""
    given = _request(arguments)
    if given["from"] and given["to"] and given["from"] >= given["to"]:
        raise Mistake(f"The window ends ({given['to']}) before it begins ({given['from']}); swap --from and --to.")
    # What the workflow would refuse is refused before anything is started.
    stack.invoke("Plan", {"step": "begin", "name": "asked", "request": given})
    if (given["from"] or given["to"]) and not anything_delivered(stack, given):
        raise Mistake(_nothing(given))
    arn = start(stack, "replay", given)
    name = arn.rsplit(":", 1)[-1]
    if not (arguments.wait or arguments.dry_run):
        return Outcome(
            {"execution": name, "arn": arn, "status": "started", "request": given},
            [f"started {name}", f"`sluice executions {name} --wait` waits for it and reports."],
        )
    execution = succeeded(follow(stack, arn))
    output = {"execution": name, **execution.output}
    if not output["listed"] and (given["from"] or given["to"]):
        raise Mistake(_nothing(given))
    return Outcome(output, report(output), code(output))


def _request(arguments: argparse.Namespace) -> dict[str, Any]:
    return {
        "from": written(arguments.begins) if arguments.begins else None,
        "to": written(arguments.ends) if arguments.ends else None,
        "collections": arguments.collections,
        "source": arguments.source,
        "mode": arguments.mode or ("all" if arguments.source == "archive" else "missing"),
        "dry_run": arguments.dry_run,
    }


def _nothing(given: dict[str, Any]) -> str:
    window = f"from {given['from'] or 'the beginning'} to {given['to'] or 'now'}"
    return f"Nothing was delivered to the {given['source']} in that window ({window}); nothing to replay."
