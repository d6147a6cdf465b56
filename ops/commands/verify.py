"""`sluice verify`: prove after a deploy that a stack does what it promises, one line per check."""

import argparse
import datetime
from pathlib import Path
from typing import Any

from ops.arguments import add_confirmation_argument
from ops.aws import Stack
from ops.checks import CheckResult, build_checks_result
from ops.errors import UsageError
from ops.output import CommandResult, require_confirmation
from ops.verify.catalogue import CHECKS
from ops.verify.check import Check
from ops.verify.game_day import create_check
from ops.verify.outage import choose_outage
from ops.verify.run import run_checks
from ops.verify.subject import DEFAULT_WINDOW, Subject, read_item

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
    parser.add_argument(
        "--window", metavar="MINUTES", type=int, default=DEFAULT_WINDOW // datetime.timedelta(minutes=1),
        help="compare archive and batches for the writes of so many minutes before (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--game-day", action="store_true",
        help="then make the primary fail over under steady writes, and compare what was accepted with what is read",
    )  # fmt: skip
    parser.add_argument(
        "--outage-command", metavar="COMMAND",
        help="command that makes the outage of a game day, for a database that the stack does not own",
    )  # fmt: skip
    add_confirmation_argument(parser)


def run(stack: Stack, arguments: argparse.Namespace) -> CommandResult:
    """Run the checks. The exit code is 1 when one failed, or when something of the verification remains."""
    item = _read_item_file(arguments.item)
    stack.output("Url")  # before anything else, so that a wrong name is one sentence
    game_day = _prepare_game_day(stack, arguments)
    subject = Subject(stack, arguments.collection, item, datetime.timedelta(minutes=arguments.window))
    checks = [check for name, check in CHECKS.items() if name in (arguments.only or CHECKS)]
    try:
        results = run_checks(subject, checks)
        if game_day:
            results += run_checks(subject, [game_day])
    finally:
        remains = subject.clean_up()
    return build_checks_result([*results, _report_clean_up(remains)])


def _prepare_game_day(stack: Stack, arguments: argparse.Namespace) -> Check | None:
    """The check of a game day, when the operator asks for one and confirms it."""
    if not arguments.game_day:
        return None
    outage = choose_outage(stack, arguments.outage_command)
    require_confirmation(stack.name, f"makes the primary of {stack.name} fail over", arguments.yes)
    return create_check(outage)


def _read_item_file(path: Path | None) -> dict[str, Any] | None:
    if path is None:
        return None
    try:
        return read_item(path.read_text())
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read as a JSON object: {error}.", "Give a file with one item.") from None


def _report_clean_up(remains: list[str]) -> CheckResult:
    """What remains of the verification."""
    if remains:
        return CheckResult("clean-up", "failed", " ".join(remains))
    return CheckResult("clean-up", "ok", "nothing remains of the verification")
