"""Command-line arguments that several commands share."""

import argparse
from typing import Any, NoReturn

from ops.errors import UsageError

COMMON_GROUP = "stack and output"


class ArgumentParser(argparse.ArgumentParser):
    """A parser that raises UsageError instead of leaving the process."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(format_sentence(message), f"See `{self.prog} --help`.")


def format_sentence(text: str) -> str:
    """A text with a capital letter and a full stop."""
    return f"{text[:1].upper()}{text[1:]}."


def add_common_arguments(parser: argparse.ArgumentParser, default: Any = argparse.SUPPRESS) -> None:
    """Add the arguments that every command accepts, before and after its name.

    Only the outermost parser has a default: the default of an inner parser would overwrite a value given before the
    command's name.
    """
    group = parser.add_argument_group(COMMON_GROUP)
    group.add_argument(
        "--stack-name",
        metavar="NAME",
        default=default,
        help="stack to operate (default: the local stack, if it runs)",
    )
    group.add_argument(
        "--region",
        metavar="REGION",
        default=default,
        help="AWS region (default: from the profile or the environment)",
    )
    group.add_argument("--profile", metavar="PROFILE", default=default, help="profile of the AWS configuration files")
    group.add_argument("--json", action="store_true", default=default or False, help="print one JSON document")


def add_action_parsers(parser: argparse.ArgumentParser, actions: dict[str, str]) -> dict[str, argparse.ArgumentParser]:
    """Add the actions of a command, with a help text each. Returns the parser of each action."""
    subparsers = parser.add_subparsers(dest="action", required=True, metavar=" | ".join(actions))
    parsers = {}
    for name, help_ in actions.items():
        parsers[name] = subparsers.add_parser(name, help=help_, description=format_sentence(help_))
        add_common_arguments(parsers[name])
    return parsers


def add_confirmation_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--yes NAME`, which answers the question of `require_confirmation`."""
    parser.add_argument("--yes", metavar="NAME", help="name of the stack: confirms without a question")
