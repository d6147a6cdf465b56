"""`sluice export`: write a collection out through the public API."""

import argparse
import sys
from pathlib import Path

from ops.aws import Stack
from ops.commands.import_ import add_client_arguments, choose_stack, connect
from ops.data.export_run import print_export, run_export
from ops.data.transfer_progress import show_transfer
from ops.errors import UsageError
from ops.output import CommandResult, format_count

__all__ = ["SUMMARY", "add_arguments", "choose_stack", "run"]

SUMMARY = "write a collection out as JSON Lines through the API"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "file", metavar="FILE", type=Path, nargs="?",
        help="file to write; it appears when it is complete (default: standard output)",
    )  # fmt: skip
    add_client_arguments(parser)
    parser.add_argument("--metadata", action="store_true", help="write id, version and time of each item, too")
    parser.add_argument("--restart", action="store_true", help="begin from the start, not where an earlier run ended")
    parser.add_argument("--force", action="store_true", help="replace the file if it exists")


def run(stack: Stack | None, arguments: argparse.Namespace) -> CommandResult:
    """Write the collection. Raises OperationError when it cannot be read to its end."""
    target = arguments.file
    if target is None and arguments.json:
        raise UsageError("--json needs a FILE: the items go to standard output.", "Give FILE, or leave --json out.")
    if target is not None and target.exists() and not arguments.force:
        raise UsageError(f"{target} exists already.", "Give another FILE, or --force.")
    client, _ = connect(stack, arguments)
    with show_transfer("export") as show:
        if target is None:
            count = print_export(client, sys.stdout.buffer, show, metadata=arguments.metadata)
            return CommandResult(None)
        count = run_export(
            client, arguments.collection, target, show, metadata=arguments.metadata, restart=arguments.restart
        )
    document = {"items": count, "file": str(target)}
    return CommandResult(document, [f"wrote {format_count(count, 'item')} to {target}"])
