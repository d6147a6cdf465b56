"""The commands that the page can run: described by their argument parsers, run by the code of the command line."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ops.arguments import ArgumentParser, add_common_arguments, format_sentence
from ops.commands import CommandModule, quarantine, rebuild, recover, rejected_writes, replay, restore
from ops.console.messages import Argument, Command
from ops.errors import UsageError
from ops.times import parse_time

# By what an operator types; the second word is an action of the command.
_MODULES: dict[str, CommandModule] = {
    "replay": replay,
    "recover": recover,
    "rebuild": rebuild,
    "restore": restore,
    "rejected-writes retry": rejected_writes,
    "rejected-writes drop": rejected_writes,
    "quarantine retry": quarantine,
    "quarantine drop": quarantine,
}
# The console sets these. A run always waits: the page shows its lines meanwhile.
_DRY_RUN, _CONFIRMATION, _WAIT = "dry_run", "yes", "wait"
_OWN = frozenset({_DRY_RUN, _CONFIRMATION, _WAIT, "help", "stack_name", "region", "profile", "json"})
# `rebuild --retained` is a list; to drop retained tables is another command in the same parser.
_OMITTED = {"rebuild": frozenset({"retained", "drop_retained"})}


@dataclass(frozen=True)
class PageCommand:
    """A command of the page, with the parser of its arguments."""

    name: str
    module: CommandModule
    parser: argparse.ArgumentParser  # of the whole command
    action_parser: argparse.ArgumentParser  # of its action, or the same

    @property
    def has_dry_run(self) -> bool:
        return self._has(_DRY_RUN)

    @property
    def is_destructive(self) -> bool:
        """Whether the command asks for the stack's name."""
        return self._has(_CONFIRMATION)

    def _has(self, destination: str) -> bool:
        return any(action.dest == destination for action in self.action_parser._actions)

    def list_actions(self) -> Iterator[argparse.Action]:
        """The arguments that the page sets."""
        omitted = _OWN | _OMITTED.get(self.name, frozenset())
        return (action for action in self.action_parser._actions if action.dest not in omitted)

    def describe(self) -> Command:
        """The message that describes the command."""
        summary = self.action_parser.description or self.module.SUMMARY
        arguments = [_describe_argument(action) for action in self.list_actions()]
        return Command(self.name, summary, self.is_destructive, self.has_dry_run, arguments)

    def parse(self, values: dict[str, Any], *, dry_run: bool, confirmation: str) -> argparse.Namespace:
        """The arguments of the command line for values by name. Raises UsageError."""
        actions = {action.dest: action for action in self.list_actions()}
        if unknown := values.keys() - actions.keys():
            raise UsageError(f"{self.name} has no argument {min(unknown)}.")
        options: list[str] = []
        positionals: list[str] = []
        for name, value in values.items():
            words = _build_words(actions[name], value)
            (options if actions[name].option_strings else positionals).extend(words)
        words = [*self.name.split()[1:], *options]
        words += ["--dry-run"] if dry_run and self.has_dry_run else []
        words += ["--wait"] if self._has(_WAIT) and not dry_run else []
        # Always given: without it, the command would ask on the terminal of the server.
        words += [f"--yes={confirmation}"] if self.is_destructive else []
        return self.parser.parse_args([*words, *(["--", *positionals] if positionals else [])])


def build_commands() -> dict[str, PageCommand]:
    """The commands of the page by name."""
    commands = {}
    for name, module in _MODULES.items():
        verb, _, action_name = name.partition(" ")
        parser = ArgumentParser(prog=f"sluice {verb}", description=format_sentence(module.SUMMARY))
        module.add_arguments(parser)
        add_common_arguments(parser)
        commands[name] = PageCommand(name, module, parser, _find_action_parser(parser, action_name) or parser)
    return commands


def _find_action_parser(parser: argparse.ArgumentParser, name: str) -> argparse.ArgumentParser | None:
    for action in parser._actions:
        if name and isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)[name]  # type: ignore[no-any-return]
    return None


def _describe_argument(action: argparse.Action) -> Argument:
    kind: Any = "text"
    if action.nargs == 0:
        kind = "flag"
    elif action.choices:
        kind = "choice"
    elif action.nargs == "*" or isinstance(action, argparse._AppendAction):
        kind = "list"
    elif action.type is parse_time:
        kind = "time"
    elif action.type is int:
        kind = "number"
    choices = [str(choice) for choice in action.choices or ()]
    default = [] if kind == "list" else action.default
    label = action.option_strings[0] if action.option_strings else str(action.metavar)
    return Argument(action.dest, label, kind, choices, default, action.help or "")


def _build_words(action: argparse.Action, value: Any) -> list[str]:
    """The words of one argument. An empty value is left out. Raises UsageError for a value of another kind."""
    kind = _describe_argument(action).kind
    if value is None or value in ("", False, []):
        return []
    if kind == "flag" and value is True:
        return [action.option_strings[0]]
    values = value if kind == "list" and isinstance(value, list) else [value]
    if kind == "flag" or not all(isinstance(text, str | int) and not isinstance(text, bool) for text in values):
        raise UsageError(f"The value of {action.dest} is not a {kind}.")
    # One word, so that no value is read as an option.
    return [f"{action.option_strings[0]}={text}" if action.option_strings else str(text) for text in values]
