"""`sluice rebuild`: build new tables from S3 and swap them in; list and drop the schemas that rebuilds retain."""

import argparse
import json
import re
from typing import Any

from ops.arguments import add_confirmation_argument
from ops.aws import Stack
from ops.commands import replay
from ops.errors import UsageError
from ops.output import CommandResult, format_batches, format_count, format_size, format_table, require_confirmation
from ops.progress import wait_for_execution
from ops.times import format_time, parse_time
from ops.workflows import build_started_result, get_execution_name, has_workflow, require_success, start_execution

SUMMARY = "build new tables from S3 and swap them in"

_EXCLUSION_LISTS = {"owner": "owners", "collection": "collections", "version": "versions"}
_EXCLUSION_TIMES = ("from", "to")
# A value may contain commas: only a comma before a known name separates two parts.
_EXCLUSION_SEPARATOR = re.compile(rf",(?=(?:{'|'.join((*_EXCLUSION_LISTS, *_EXCLUSION_TIMES))})=)")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--as-of", metavar="TIME", type=parse_time, help="only writes accepted until this time")
    parser.add_argument(
        "--exclude", metavar="owner=…,collection=…,from=…,to=…,version=…", action="append", default=[],
        help="exclude the writes that match every part; a part that is repeated matches any of its values",
    )  # fmt: skip
    parser.add_argument(
        "--source", choices=["batches", "archive"], default="batches", help="bucket to build from (default: batches)"
    )
    parser.add_argument("--reason", metavar="TEXT", default="", help="reason, stored with the exclusions")
    parser.add_argument(
        "--reset-exclusions", action="store_true", help="include again the writes that earlier rebuilds excluded"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="print the input of the workflow, or the schemas to drop; change nothing"
    )
    parser.add_argument("--wait", action="store_true", help="wait until the rebuild ends, and report")
    add_confirmation_argument(parser)
    retained = parser.add_argument_group("retained schemas (instead of a rebuild)")
    retained.add_argument("--retained", action="store_true", help="list the schemas with the replaced tables")
    retained.add_argument(
        "--drop-retained", metavar="NAME", nargs="?", const="", help="drop the retained schema NAME, or all of them"
    )


def run(stack: Stack, arguments: argparse.Namespace) -> CommandResult:
    """Start a rebuild, and wait for it with `--wait`; or list or drop retained schemas. Raises CommandError."""
    if arguments.retained:
        return list_retained_schemas(stack)
    if arguments.drop_retained is not None:
        return drop_retained_schemas(stack, arguments.drop_retained, arguments.yes, dry_run=arguments.dry_run)
    return _start_rebuild(stack, arguments)


def _start_rebuild(stack: Stack, arguments: argparse.Namespace) -> CommandResult:
    request = {
        "as_of": format_time(arguments.as_of) if arguments.as_of else None,
        "exclude": parse_exclusions(arguments.exclude),
        "source": arguments.source,
        "reason": arguments.reason,
        "reset_exclusions": arguments.reset_exclusions,
    }
    if not has_workflow(stack, "rebuild"):
        raise UsageError(f"The stack {stack.name} has no rebuild workflow.", "Deploy a version that has it.")
    if arguments.dry_run:
        return CommandResult(
            {"dry_run": True, "request": request},
            ["dry run: nothing was started; the input of the workflow would be", f"  {json.dumps(request)}"],
        )
    effect = f"replaces every table of {stack.name} with a new one, built from the {arguments.source}"
    require_confirmation(stack.name, effect, arguments.yes)
    arn = start_execution(stack, "rebuild", request)
    if not arguments.wait:
        return build_started_result(arn, request)
    execution = require_success(wait_for_execution(stack, arn))
    output = {"execution": get_execution_name(arn), **execution.output}
    return CommandResult(output, format_report(output), replay.get_exit_code(output))


def parse_exclusions(texts: list[str]) -> dict[str, Any]:
    """Parse the values of `--exclude` into the form that the workflow accepts. Raises UsageError."""
    exclusions: dict[str, Any] = {**{name: [] for name in _EXCLUSION_LISTS.values()}, **dict.fromkeys(_EXCLUSION_TIMES)}
    for part in (part for text in texts for part in _EXCLUSION_SEPARATOR.split(text)):
        name, _, value = part.partition("=")
        if name in _EXCLUSION_LISTS and value:
            exclusions[_EXCLUSION_LISTS[name]].append(value)
        elif name in _EXCLUSION_TIMES and value:
            exclusions[name] = format_time(parse_time(value))
        else:
            raise UsageError(
                f"--exclude does not accept {part!r}.", "It accepts owner=, collection=, version=, from= and to=."
            )
    if exclusions["from"] and exclusions["to"] and exclusions["from"] >= exclusions["to"]:
        raise UsageError(
            f"--exclude ends ({exclusions['to']}) before it begins ({exclusions['from']}).", "Swap from= and to=."
        )
    return exclusions


def format_report(output: dict[str, Any]) -> list[str]:
    """The lines for the output of a rebuild."""
    lines = replay.format_report(output)
    if late := output.get("after_swap", {}).get("loaded", 0):
        lines.append(f"  of these, {format_batches(late)} arrived after the swap")
    lines += [
        f"  {table}: {format_count(count['rows'], 'row')}" for table, count in sorted(output.get("tables", {}).items())
    ]
    lines += [f"  excluded: the writes of {name}" for name in output.get("excluded", [])]
    return lines + [f"  retained: {name}" for name in output.get("retained", [])]


def list_retained_schemas(stack: Stack) -> CommandResult:
    """List the schemas that rebuilds retain, the oldest first."""
    schemas = _fetch_retained_schemas(stack)
    rows = [(schema["name"], str(len(schema["tables"])), format_size(schema["bytes"])) for schema in schemas]
    lines = format_table(("name", "tables", "size"), rows) if rows else ["there are no retained schemas"]
    return CommandResult({"retained": schemas}, lines)


def drop_retained_schemas(stack: Stack, name: str, typed_name: str | None, *, dry_run: bool) -> CommandResult:
    """Drop the retained schema `name`, or all when it is empty, after a confirmation. Raises UsageError."""
    retained = [str(schema["name"]) for schema in _fetch_retained_schemas(stack)]
    chosen = [schema for schema in retained if schema == name or not name]
    if not retained:
        raise UsageError("There are no retained schemas.")
    if not chosen:
        raise UsageError(f"There is no retained schema {name!r}.", f"There are {', '.join(retained)}.")
    if dry_run:
        lines = [f"dry run: would drop {format_count(len(chosen), 'schema')}", *(f"  {schema}" for schema in chosen)]
        return CommandResult({"dry_run": True, "drop": chosen}, lines)
    effect = f"permanently drops {format_count(len(chosen), 'schema')} with replaced tables: {', '.join(chosen)}"
    require_confirmation(stack.name, effect, typed_name)
    for schema in chosen:
        stack.invoke("Rebuild", {"step": "drop_retained", "name": schema})
    return CommandResult({"dropped": chosen}, [f"dropped {schema}" for schema in chosen])


def _fetch_retained_schemas(stack: Stack) -> list[dict[str, Any]]:
    return list(stack.invoke("Rebuild", {"step": "list_retained"})["retained"])
