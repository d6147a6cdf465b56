"""`sluice verify`: prove after a deploy that a stack does what it promises, one line per check."""

import argparse
from pathlib import Path
from typing import Any

from ops.aws import Stack
from ops.errors import EXIT_DONE, EXIT_INCOMPLETE, UsageError
from ops.output import CommandResult, format_count, format_table
from ops.verify.catalogue import CHECKS
from ops.verify.check import Outcome
from ops.verify.run import run_checks
from ops.verify.subject import Subject, read_item

SUMMARY = "prove that a deployed stack works, one line per check"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "--only", metavar="CHECK", action="append", choices=CHECKS, default=[],
        help=f"run this check only (may be repeated): {', '.join(CHECKS)}",
    )  # fmt: skip
    parser.add_argument(
        "--collection", metavar="NAME", help="collection to write to (default: one in which nobody sees the item)"
    )
    parser.add_argument(
        "--item", metavar="FILE", type=Path,
        help="JSON item to write (default: an example of the contract); no item with its id may exist",
    )  # fmt: skip


def run(stack: Stack, arguments: argparse.Namespace) -> CommandResult:
    """Run the checks. The exit code is 1 when one failed, or when something of the verification remains."""
    item = _read_item_file(arguments.item)
    stack.output("Url")  # before anything else, so that a wrong name is one sentence
    subject = Subject(stack, arguments.collection, item)
    checks = [check for name, check in CHECKS.items() if name in (arguments.only or CHECKS)]
    try:
        outcomes = run_checks(subject, checks)
    finally:
        remains = subject.clean_up()
    return build_result(stack, outcomes, remains)


def _read_item_file(path: Path | None) -> dict[str, Any] | None:
    if path is None:
        return None
    try:
        return read_item(path.read_text())
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read as a JSON object: {error}.", "Give a file with one item.") from None


def build_result(stack: Stack, outcomes: list[Outcome], remains: list[str]) -> CommandResult:
    """The report: a line per check, then what remains of the verification, then the summary."""
    failed = [outcome.check for outcome in outcomes if outcome.status == "failed"]
    document = {
        "stack": stack.name,
        "region": stack.region,
        "passed": not failed and not remains,
        "checks": [{**vars(outcome), "seconds": round(outcome.seconds, 1)} for outcome in outcomes],
        "remains": remains,
    }
    lines = format_table(("check", "result", "took", ""), (outcome.to_line() for outcome in outcomes))
    lines += [f"remains: {sentence}" for sentence in remains]
    summary = f"{stack.name}: {format_count(len(outcomes), 'check')}"
    lines += ["", f"{summary}, {len(failed)} failed: {', '.join(failed)}" if failed else f"{summary}, none failed"]
    return CommandResult(document, lines, EXIT_INCOMPLETE if failed or remains else EXIT_DONE)
