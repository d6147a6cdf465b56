"""`sluice console`: show the stack in the browser, and run commands from there."""

import argparse

from ops.aws import Stack
from ops.errors import UsageError
from ops.output import CommandResult

SUMMARY = "show the stack in the browser, and run commands from there"
DEFAULT_PORT = 8642


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "--port", metavar="N", type=int, default=DEFAULT_PORT,
        help=f"port on 127.0.0.1 (default: {DEFAULT_PORT}; 0: any free port)",
    )  # fmt: skip
    parser.add_argument("--no-browser", action="store_true", help="print the address; open no browser")


def run(stack: Stack, arguments: argparse.Namespace) -> CommandResult:
    """Serve the console until Ctrl-C. Raises CommandError, and the exceptions of botocore."""
    if arguments.json:
        raise UsageError("The console has no --json.", "`sluice status --json` prints the state of the stack.")
    # Its web server takes a moment to import: the other commands start without it.
    from ops.console.serve import serve_console  # noqa: PLC0415

    serve_console(stack, arguments.port, with_browser=not arguments.no_browser)
    return CommandResult(None)
