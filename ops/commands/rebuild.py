"""`sluice rebuild`: make the tables anew from S3 and swap them in.

The output of a rebuild.

The tables that rebuilds kept, as the stack's function lists and drops them.
"""

import argparse
import json
import re
from typing import Any

from ops.aws import Stack
from ops.commands import replay
from ops.commands.replay import get_exit_code
from ops.errors import UsageError
from ops.output import CommandResult, format_batches, format_count, format_size, format_table, require_confirmation
from ops.progress import wait_for_execution
from ops.times import format_time, parse_time
from ops.workflows import WORKFLOW_OUTPUTS, require_success, start_execution

_EXCLUSION_LISTS = {"owner": "owners", "collection": "collections", "version": "versions"}


_EXCLUSION_TIMES = ("from", "to")


# A value may have commas: only one before a known name parts.
_EXCLUSION_SEPARATOR = re.compile(rf",(?=(?:{'|'.join((*_EXCLUSION_LISTS, *_EXCLUSION_TIMES))})=)")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("--as-of", metavar="TIME", type=parse_time, help="only writes accepted until then")
    parser.add_argument(
        "--exclude", metavar="owner=…,collection=…,from=…,to=…,version=…", action="append", default=[],
        help="leave out the writes that fit all that is named; a name given again adds to its list",
    )  # fmt: skip
    parser.add_argument("--source", choices=["batches", "archive"], default="batches", help="default: batches")
    parser.add_argument("--reason", metavar="TEXT", default="", help="why; it is kept with what is left out")
    parser.add_argument("--afresh", action="store_true", help="take in again what earlier rebuilds left out")
    parser.add_argument("--dry-run", action="store_true", help="only show what the workflow would be given")
    parser.add_argument("--wait", action="store_true", help="until it has ended, and report")
    parser.add_argument("--yes", metavar="NAME", help="the stack's name: confirms without asking")
    others = parser.add_argument_group("instead of a rebuild, the tables that earlier ones kept")
    others.add_argument("--kept", action="store_true", help="show them")
    others.add_argument("--drop-kept", metavar="NAME", nargs="?", const="", help="drop those of a name, or all of them")


def run(stack: Stack, arguments: argparse.Namespace) -> CommandResult:
    """Start a rebuild, and wait for it where that was asked for; or see to kept tables. Raises Mistake and Failure."""
    if arguments.kept:
        return list_retained_schemas(stack)
    if arguments.drop_kept is not None:
        return drop_retained_schemas(stack, arguments.drop_kept, arguments.yes)
    return _start_rebuild(stack, arguments)


def _start_rebuild(stack: Stack, arguments: argparse.Namespace) -> CommandResult:
    given = {
        "as_of": format_time(arguments.as_of) if arguments.as_of else None,
        "exclude": parse_exclusions(arguments.exclude),
        "source": arguments.source,
        "reason": arguments.reason,
        "afresh": arguments.afresh,
    }
    if WORKFLOW_OUTPUTS["rebuild"] not in stack.outputs:
        raise UsageError(f"The stack {stack.name} has no rebuild workflow: deploy a version that has it.")
    if arguments.dry_run:
        return CommandResult(
            {"dry_run": True, "request": given},
            ["dry run: nothing was started; it would be given", f"  {json.dumps(given)}"],
        )
    require_confirmation(
        stack.name, f"replaces every table of {stack.name} by one made anew from the {arguments.source}", arguments.yes
    )
    arn = start_execution(stack, "rebuild", given)
    name = arn.rsplit(":", 1)[-1]
    if not arguments.wait:
        return CommandResult(
            {"execution": name, "arn": arn, "status": "started", "request": given},
            [f"started {name}", f"`sluice executions {name} --wait` waits for it and reports."],
        )
    output = {"execution": name, **require_success(wait_for_execution(stack, arn)).output}
    return CommandResult(output, format_report(output), get_exit_code(output))


def parse_exclusions(given: list[str]) -> dict[str, Any]:
    """What `--exclude` names, as the workflow takes it. Raises Mistake."""
    found: dict[str, Any] = {**{kind: [] for kind in _EXCLUSION_LISTS.values()}, **dict.fromkeys(_EXCLUSION_TIMES)}
    for part in (part for one in given for part in _EXCLUSION_SEPARATOR.split(one)):
        name, _, value = part.partition("=")
        if name in _EXCLUSION_LISTS and value:
            found[_EXCLUSION_LISTS[name]].append(value)
        elif name in _EXCLUSION_TIMES and value:
            found[name] = format_time(parse_time(value))
        else:
            raise UsageError(f"--exclude cannot take {part!r}; it takes owner=, collection=, version=, from= and to=.")
    if found["from"] and found["to"] and found["from"] >= found["to"]:
        raise UsageError(f"--exclude ends ({found['to']}) before it begins ({found['from']}).")
    return found


def format_report(output: dict[str, Any]) -> list[str]:
    """The lines for it."""
    tables = [
        f"  {name}: {format_count(found['rows'], 'row')}" for name, found in sorted(output.get("tables", {}).items())
    ]
    excluded = [f"  left out what {name} excludes" for name in output.get("excluded", [])]
    later = output.get("later", {}).get("loaded", 0)
    after = [f"  {format_batches(later)} of these came after the swap"] if later else []
    kept = [f"  kept: {name}" for name in output.get("kept", [])]
    return [*replay.format_report(output), *after, *tables, *excluded, *kept]


def list_retained_schemas(stack: Stack) -> CommandResult:
    """All of them, the oldest first."""
    found = _fetch_retained_schemas(stack)
    rows = [(one["name"], str(len(one["tables"])), format_size(one["bytes"])) for one in found]
    return CommandResult(
        {"kept": found}, format_table(("name", "tables", "size"), rows) if rows else ["no tables are kept"]
    )


def drop_retained_schemas(stack: Stack, name: str, yes: str | None) -> CommandResult:
    """Drop those of a name, or all (empty), when that is confirmed. Raises Mistake, also when there are none."""
    there = [str(one["name"]) for one in _fetch_retained_schemas(stack)]
    wanted = [one for one in there if one == name or not name]
    if not wanted:
        raise UsageError(
            f"No tables are kept as {name!r}; there are {', '.join(there)}." if there else "None are kept."
        )
    require_confirmation(
        stack.name, f"drops {format_count(len(wanted), 'schema')} of old tables for good: {', '.join(wanted)}", yes
    )
    for one in wanted:
        stack.invoke("Rebuild", {"step": "drop", "name": one})
    return CommandResult({"dropped": wanted}, [f"dropped {one}" for one in wanted])


def _fetch_retained_schemas(stack: Stack) -> list[dict[str, Any]]:
    return list(stack.invoke("Rebuild", {"step": "kept"})["kept"])
