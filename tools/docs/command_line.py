"""The page of the command `sluice`, made from its argument parser."""

import argparse
from collections.abc import Iterator

from ops.cli import build_parser
from tools.docs.markdown import NOTICE, escape_cell, format_code, format_table

HEAD = """# Command line

`sluice` is the operators' command. It runs in a checkout with Python 3.11 or newer; see
[Operate a stack](../how-to/operate.md) for its installation and its permissions.
"""

COMMON = frozenset({"stack_name", "region", "profile", "json"})

EXIT_CODES = """## Exit codes

| code | meaning |
|---|---|
| 0 | The command is done, or it started a workflow without `--wait`. For `status`: nothing needs attention. |
| 1 | Something remains or failed. For `status`: something needs attention. Also when AWS cannot be reached. |
| 2 | The command line, the credentials or the region are wrong. One sentence says what to do. |
| 130 | Ctrl-C interrupted the command. |

A reader that closes the pipe (`sluice status | head -1`) does not change the exit code. A script may retry after 1; it
must not retry after 2.

## Output

`--json` prints one document on standard output. Progress and errors go to standard error. When the command fails, it
prints one sentence there (`sluice: …`), often a second one that says what to do (`hint: …`), and no document.
"""


def render_command_line() -> str:
    """Return the page."""
    command = build_parser()
    lines = [NOTICE.format(source="the parser in ops/"), "", HEAD]
    lines += ["## Options of every command", "", *_list_options(command), ""]
    for name, verb, help_text in _list_commands(command):
        lines += [f"## sluice {name}", "", f"{_format_sentence(help_text)}", "", *_describe_options(verb), ""]
        for action_name, action, action_help in _list_commands(verb):
            lines += [
                f"### sluice {name} {action_name}",
                "",
                _format_sentence(action_help),
                "",
                *_describe_options(action),
                "",
            ]
    return "\n".join([*lines, EXIT_CODES])


def list_verbs() -> list[str]:
    """Return the names of all commands."""
    return [name for name, _, _ in _list_commands(build_parser())]


def _format_sentence(text: str) -> str:
    text = escape_cell(text)
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"


def _list_commands(command: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser, str]]:
    for action in command._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for name, verb in action.choices.items():
                yield name, verb, helps[name]


def _describe_options(command: argparse.ArgumentParser) -> list[str]:
    if any(_list_commands(command)):
        return []
    return _list_options(command, without=COMMON) or ["It takes no options of its own."]


def _list_options(command: argparse.ArgumentParser, without: frozenset[str] = frozenset()) -> list[str]:
    rows = [
        (_format_name(action), escape_cell(action.help or ""))
        for action in command._actions
        if not isinstance(action, argparse._HelpAction | argparse._SubParsersAction) and action.dest not in without
    ]
    return format_table(("option", "meaning"), rows) if rows else []


def _format_name(action: argparse.Action) -> str:
    value = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    if action.choices and not action.metavar:
        value = "|".join(str(choice) for choice in action.choices)
    if not action.option_strings:
        optional = {"?": f"[{value}]", "*": f"[{value} …]"}
        return format_code(optional.get(str(action.nargs), value))
    if action.nargs == 0:
        return format_code(", ".join(action.option_strings))
    value = f"[{value}]" if action.nargs == "?" else value
    return format_code(f"{', '.join(action.option_strings)} {value}")
