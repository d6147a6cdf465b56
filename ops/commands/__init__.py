"""The commands, a module each."""

import argparse
from typing import Protocol

from ops.aws import Stack
from ops.output import CommandResult


class CommandModule(Protocol):
    """A module of this package."""

    SUMMARY: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the arguments of the command to its parser."""

    def run(self, stack: Stack, arguments: argparse.Namespace) -> CommandResult:
        """Run the command. Raises CommandError, and the exceptions of botocore."""
