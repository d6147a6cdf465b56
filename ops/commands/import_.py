"""`sluice import`: load a file into a collection through the public API."""

import argparse
import os
import time
from pathlib import Path

from ops.aws import Stack, choose_target
from ops.commands.new import add_file_arguments, read_file_arguments
from ops.data.collection import CollectionClient, CollectionContract, TokenSource, choose_address, create_client
from ops.data.import_run import ImportFiles, ImportOptions, run_import
from ops.data.transfer_progress import show_transfer
from ops.data.upload import FIREWALL_HINT
from ops.errors import EXIT_DONE, EXIT_INCOMPLETE, UsageError
from ops.output import CommandResult, format_count
from ops.service import Service

SUMMARY = "load CSV or JSON Lines into a collection through the API"

MAX_CONCURRENCY = 16


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "file", metavar="FILE", type=Path, help="CSV, JSON Lines or a JSON list, also as .gz, .bz2, .xz or .zip"
    )
    add_client_arguments(parser)
    parser.add_argument(
        "--concurrency", metavar="COUNT", type=int, default=4, help="requests at the same time, 1 to 16 (default: 4)"
    )
    add_file_arguments(parser)
    parser.add_argument("--restart", action="store_true", help="begin from the start, not where an earlier run ended")


def add_client_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that name a collection and the client that uses it."""
    parser.add_argument("--collection", metavar="NAME", required=True, help="name of the collection")
    parser.add_argument(
        "--url", metavar="URL", default="",
        help="address of the service, instead of a stack: with a token it needs no AWS credentials",
    )  # fmt: skip
    parser.add_argument(
        "--token", metavar="TOKEN", default=os.environ.get("SLUICE_TOKEN", ""),
        help="access token (default: $SLUICE_TOKEN, else that of the machine client, renewed when it expires)",
    )  # fmt: skip
    parser.add_argument(
        "--client-key", metavar="KEY", default=os.environ.get("SLUICE_CLIENT_KEY", ""),
        help="key of the client, where clients need one (default: $SLUICE_CLIENT_KEY)",
    )  # fmt: skip


def choose_stack(arguments: argparse.Namespace) -> Stack | None:
    """The stack that the arguments name, or None when they name the service by its URL: that needs no credentials."""
    return None if arguments.url else Stack(choose_target(arguments.stack_name, arguments.region, arguments.profile))


def connect(stack: Stack | None, arguments: argparse.Namespace) -> tuple[CollectionClient, CollectionContract]:
    """A client of the collection, and its contract. Raises UsageError for a collection that the service lacks."""
    url = stack.service_url if stack else choose_address(arguments.url, arguments.token)
    tokens = TokenSource(stack, arguments.token)
    return create_client(Service(url), arguments.collection, tokens, arguments.client_key)


def run(stack: Stack | None, arguments: argparse.Namespace) -> CommandResult:
    """Load the file. The exit code is 1 when rows were rejected."""
    if not 1 <= arguments.concurrency <= MAX_CONCURRENCY:
        raise UsageError(f"--concurrency must be 1 to {MAX_CONCURRENCY}.")
    if not arguments.file.is_file():
        raise UsageError(f"There is no file {arguments.file}.", "Check the path.")
    client, contract = connect(stack, arguments)
    options = ImportOptions(
        arguments.collection, read_file_arguments(arguments), arguments.concurrency, arguments.restart
    )
    files, started = ImportFiles(arguments.file), time.monotonic()
    with show_transfer("import") as show:
        state = run_import(client, contract, files, options, show)
    seconds = time.monotonic() - started
    accepted = state.rows - state.rejected
    document = {
        "rows": state.rows,
        "accepted": accepted,
        "rejected": state.rejected,
        "refused_by_firewall": state.refused_by_firewall,
        "rejected_file": str(files.rejected) if state.rejected else None,
        "seconds": round(seconds, 1),
    }
    lines = [f"{arguments.collection} accepted {format_count(accepted, 'row')} in {seconds:,.1f} s"]
    if state.rejected:
        lines.append(f"it rejected {format_count(state.rejected, 'row')}: {files.rejected}")
    if state.refused_by_firewall:
        lines.append(f"the firewall took {format_count(state.refused_by_firewall, 'row')} of them for attacks")
        lines.append(FIREWALL_HINT)
    return CommandResult(document, lines, EXIT_INCOMPLETE if state.rejected else EXIT_DONE)
