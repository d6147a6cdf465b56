"""The store of rejected writes, through the stack's own function.

`sluice rejected-writes`: single writes that the database could not take.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from typing import Any

from ops.arguments import add_common_arguments
from ops.aws import Stack
from ops.errors import EXIT_DONE, EXIT_INCOMPLETE, UsageError, WaitInterrupted
from ops.output import CommandResult, format_batches, format_count, require_confirmation

Selection = dict[str, list[str]]


# Rejects that the function lists, or takes the names of, at a time.
PAGE_SIZE = 500


def settle_retried_writes(stack: Stack) -> dict[str, Any]:
    """Have writes that were loaded meanwhile taken out: how many were `settled`, and how many rejected `again`.

    `pending` has the keys of the batches that are still to be loaded.
    """
    return dict(stack.invoke("RejectedWrites", {"action": "settle"}))


def count_rejected_writes(stack: Stack, select: Selection) -> int:
    return int(stack.invoke("RejectedWrites", {"action": "list", "select": select, "limit": 1})["total"])


def list_rejected_writes(
    stack: Stack, select: Selection, limit: int, *, with_data: bool
) -> tuple[int, list[dict[str, Any]]]:
    """How many rejects fit, and the first of them in the order of their versions."""
    found: list[dict[str, Any]] = []
    after: str | None = ""
    count = 0
    while after is not None and len(found) < limit:
        more = min(limit - len(found), PAGE_SIZE)
        answer = stack.invoke(
            "RejectedWrites", {"action": "list", "select": select, "after": after, "limit": more, "data": with_data}
        )
        count, after = int(answer["total"]), answer["after"]
        found += answer["rejects"]
    return count, found


def retry_rejected_writes(stack: Stack, select: Selection) -> Iterator[dict[str, Any]]:
    """Put what fits into batches to be loaded, and yield each.

    `batch` is its key (empty: nothing could be put), `writes` how many it has, `broken` how many could not be put:
    their text was no UTF-8 and is kept with escapes.
    """
    after: str | None = ""
    while after is not None:
        answer = stack.invoke("RejectedWrites", {"action": "retry", "select": select, "after": after})
        after = answer["after"]
        yield answer


def list_versions(stack: Stack, select: Selection) -> list[str]:
    """The versions of all rejects that fit."""
    _, found = list_rejected_writes(stack, select, sys.maxsize, with_data=False)
    return [str(one["version"]) for one in found]


def drop_rejected_writes(stack: Stack, select: Selection, versions: list[str]) -> int:
    """Forget those that fit among these versions; how many writes that were.

    By version, so that nothing goes that came after somebody was told how many there are.
    """
    dropped = 0
    for start in range(0, len(versions), PAGE_SIZE):
        some = versions[start : start + PAGE_SIZE]
        more = True
        while more:
            answer = stack.invoke("RejectedWrites", {"action": "drop", "select": {**select, "versions": some}})
            dropped, more = dropped + answer["dropped"], answer["more"]
    return dropped


# A batch that is not loaded by then is parked, or waits for its turn.
WAIT_SECONDS = 120.0


POLL_INTERVAL_SECONDS = 1.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="list | retry | drop")
    helps = {"list": "show them", "retry": "load them again", "drop": "forget them; S3 still has them"}
    for name, help_ in helps.items():
        action = actions.add_parser(name, help=help_)
        add_common_arguments(action)
        for option, meaning in (
            ("version", "the write of it"),
            ("collection", "writes to it"),
            ("id", "writes to that item"),
        ):
            action.add_argument(
                f"--{option}", metavar=option.upper(), action="append", default=[], help=f"only {meaning}"
            )
        action.add_argument("--batch", metavar="KEY", action="append", default=[], help="only of that batch")
        if name == "list":
            action.add_argument("--limit", metavar="N", type=int, default=20, help="the first N; default: 20")
            action.add_argument("--show-data", action="store_true", help="owners, reasons in full and the writes too")
            continue
        action.add_argument("--all", action="store_true", help="all of them")
        action.add_argument("--dry-run", action="store_true", help="only say how many")
        if name == "retry":
            action.add_argument("--wait", action="store_true", help="until they are loaded, two minutes at most")
        else:
            action.add_argument("--yes", metavar="NAME", help="the stack's name: confirms without asking")


def run(stack: Stack, arguments: argparse.Namespace) -> CommandResult:
    """List, retry or drop. Raises Mistake and Failure."""
    select = {
        "versions": arguments.version,
        "collections": arguments.collection,
        "ids": arguments.id,
        "batches": arguments.batch,
    }
    if arguments.action == "list":
        return _list_writes(stack, select, arguments.limit, data=arguments.show_data)
    if arguments.all == any(select.values()):
        raise UsageError("Say which, by --version, --collection, --id or --batch, or give --all.")
    settle_retried_writes(stack)
    count = count_rejected_writes(stack, select)
    if not count and not arguments.all:
        raise UsageError("No rejected write fits; `sluice rejected-writes list` shows what there is.")
    if arguments.dry_run or not count:
        return CommandResult(
            {"dry_run": arguments.dry_run, arguments.action: count},
            [
                f"dry run: would {arguments.action} {format_count(count, 'write')}"
                if count
                else "there are no rejected writes"
            ],
        )
    if arguments.action == "drop":
        return _drop_writes(stack, select, arguments.yes)
    return _retry_writes(stack, select, wait=arguments.wait)


def _list_writes(stack: Stack, select: Selection, limit: int, *, data: bool) -> CommandResult:
    if limit < 1:
        raise UsageError("--limit must be 1 or more.")
    settled = settle_retried_writes(stack)
    count, found = list_rejected_writes(stack, select, limit, with_data=data)
    lines = [format_count(count, "rejected write") + (f", the first {len(found)}:" if len(found) < count else "")]
    lines += [line for one in found for line in _format_write(one)]
    if settled["pending"]:
        lines.append(f"{format_batches(len(settled['pending']))} of retried writes not loaded yet")
    return CommandResult({"total": count, "rejects": found, "retrying": settled["pending"]}, lines)


def _format_write(one: dict[str, Any]) -> list[str]:
    owner = f" of {one['owner']}" if one.get("owner") else ""
    lines = [
        f"{one['version']}  {one['collection']}/{one['id']}{owner}",
        f"    {one['reason']}",
        f"    {one['object_key']} line {one['line']}",
    ]
    return lines + ([f"    {one['write']}"] if "write" in one else [])


def _drop_writes(stack: Stack, select: Selection, yes: str | None) -> CommandResult:
    found = list_versions(stack, select)
    require_confirmation(stack.name, f"forgets {format_count(len(found), 'rejected write')} of {stack.name}", yes)
    dropped = drop_rejected_writes(stack, select, found)
    return CommandResult({"dropped": dropped}, [f"dropped {format_count(dropped, 'write')}"])


def _retry_writes(stack: Stack, select: Selection, *, wait: bool) -> CommandResult:
    put = list(retry_rejected_writes(stack, select))
    keys = [one["batch"] for one in put if one["batch"]]
    count, broken = sum(one["writes"] for one in put), sum(one["broken"] for one in put)
    document: dict[str, Any] = {"retried": count, "broken": broken, "batches": keys}
    lines = [f"retried {format_count(count, 'write')}", *(f"  {key}" for key in keys)]
    if broken:
        lines.append(
            f"{format_count(broken, 'write')} not retried: the text was no UTF-8, so it is no write any more; drop it."
        )
    if not wait:
        lines.append("`sluice rejected-writes list` shows what could not be loaded.")
        return CommandResult(document, lines, EXIT_INCOMPLETE if broken else EXIT_DONE)
    found = _wait_until_settled(stack, set(keys))
    lines.append(f"{found['settled']} loaded, {found['again']} rejected again")
    if found["pending"]:
        lines.append(
            "Not all were loaded in time; they are no longer rejects as soon as they are: see `sluice status`."
        )
    return CommandResult(
        {**document, **found}, lines, EXIT_INCOMPLETE if broken or found["again"] or found["pending"] else EXIT_DONE
    )


def _wait_until_settled(stack: Stack, keys: set[str]) -> dict[str, Any]:
    settled, again, pending = 0, 0, keys
    deadline = time.monotonic() + WAIT_SECONDS
    try:
        while pending and time.monotonic() < deadline:
            time.sleep(POLL_INTERVAL_SECONDS)
            step = settle_retried_writes(stack)
            settled, again, pending = settled + step["settled"], again + step["again"], keys & {*step["pending"]}
    except KeyboardInterrupt:
        raise WaitInterrupted(
            "They are loaded without you; `sluice rejected-writes list` shows what remains."
        ) from None
    return {"settled": settled, "again": again, "pending": sorted(pending)}
