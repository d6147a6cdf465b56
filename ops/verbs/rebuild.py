"""`sluice rebuild`: make the tables anew from S3 and swap them in."""

import argparse
import json
import re
from typing import Any

from ops.confirming import confirm
from ops.ending import succeeded
from ops.kept import drop, show
from ops.moments import moment, written
from ops.outcome import Mistake, Outcome
from ops.progress import follow
from ops.reports.rebuild import report
from ops.reports.replay import code
from ops.stack import Stack
from ops.workflows import OUTPUTS, start

_KINDS = {"owner": "owners", "collection": "collections", "version": "versions"}
_TIMES = ("from", "to")
# A value may have commas: only one before a known name parts.
_PARTS = re.compile(rf",(?=(?:{'|'.join((*_KINDS, *_TIMES))})=)")


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("--as-of", metavar="TIME", type=moment, help="only writes accepted until then")
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


def run(stack: Stack, arguments: argparse.Namespace) -> Outcome:
    """Start a rebuild, and wait for it where that was asked for; or see to kept tables. Raises Mistake and Failure."""
    if arguments.kept:
        return show(stack)
    if arguments.drop_kept is not None:
        return drop(stack, arguments.drop_kept, arguments.yes)
    return _rebuild(stack, arguments)


def _rebuild(stack: Stack, arguments: argparse.Namespace) -> Outcome:
    given = {
        "as_of": written(arguments.as_of) if arguments.as_of else None,
        "exclude": excluded(arguments.exclude),
        "source": arguments.source,
        "reason": arguments.reason,
        "afresh": arguments.afresh,
    }
    if OUTPUTS["rebuild"] not in stack.outputs:
        raise Mistake(f"The stack {stack.name} has no rebuild workflow: deploy a version that has it.")
    if arguments.dry_run:
        return Outcome(
            {"dry_run": True, "request": given},
            ["dry run: nothing was started; it would be given", f"  {json.dumps(given)}"],
        )
    confirm(
        stack.name, f"replaces every table of {stack.name} by one made anew from the {arguments.source}", arguments.yes
    )
    arn = start(stack, "rebuild", given)
    name = arn.rsplit(":", 1)[-1]
    if not arguments.wait:
        return Outcome(
            {"execution": name, "arn": arn, "status": "started", "request": given},
            [f"started {name}", f"`sluice executions {name} --wait` waits for it and reports."],
        )
    output = {"execution": name, **succeeded(follow(stack, arn)).output}
    return Outcome(output, report(output), code(output))


def excluded(given: list[str]) -> dict[str, Any]:
    """What `--exclude` names, as the workflow takes it. Raises Mistake."""
    found: dict[str, Any] = {**{kind: [] for kind in _KINDS.values()}, **dict.fromkeys(_TIMES)}
    for part in (part for one in given for part in _PARTS.split(one)):
        name, _, value = part.partition("=")
        if name in _KINDS and value:
            found[_KINDS[name]].append(value)
        elif name in _TIMES and value:
            found[name] = written(moment(value))
        else:
            raise Mistake(f"--exclude cannot take {part!r}; it takes owner=, collection=, version=, from= and to=.")
    if found["from"] and found["to"] and found["from"] >= found["to"]:
        raise Mistake(f"--exclude ends ({found['to']}) before it begins ({found['from']}).")
    return found
