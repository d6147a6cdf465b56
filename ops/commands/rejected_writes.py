"""`sluice rejected-writes`: list, retry or drop writes that the database rejected."""

import argparse
import sys
import time
from collections.abc import Iterator
from typing import Any

from ops.arguments import add_action_parsers, add_confirmation_argument
from ops.aws import Stack
from ops.errors import EXIT_DONE, EXIT_INCOMPLETE, UsageError, WaitInterrupted
from ops.output import CommandResult, format_batches, format_count, require_confirmation

SUMMARY = "list, retry or drop writes that the database rejected"

# A batch that is not loaded after this time is parked, or waits for its turn.
WAIT_SECONDS = 120.0
POLL_INTERVAL_SECONDS = 1.0
# The most rejected writes that one invocation of the function lists or drops.
PAGE_SIZE = 500

_ACTIONS = {
    "list": "list the rejected writes",
    "retry": "load rejected writes again",
    "drop": "delete the records of rejected writes; S3 keeps the writes",
}

Selection = dict[str, list[str]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions of the command and their arguments."""
    actions = add_action_parsers(parser, _ACTIONS)
    for action in actions.values():
        action.add_argument("--version", metavar="VERSION", action="append", default=[], help="only this write")
        action.add_argument(
            "--collection", metavar="COLLECTION", action="append", default=[], help="only writes to this collection"
        )
        action.add_argument("--id", metavar="ID", action="append", default=[], help="only writes to this item")
        action.add_argument("--batch", metavar="KEY", action="append", default=[], help="only writes of this batch")
    for action in (actions["retry"], actions["drop"]):
        action.add_argument("--all", action="store_true", help="every rejected write")
        action.add_argument("--dry-run", action="store_true", help="count the writes; change nothing")
    actions["list"].add_argument("--limit", metavar="N", type=int, default=20, help="list the first N (default: 20)")
    actions["list"].add_argument(
        "--show-data", action="store_true", help="print owners, complete reasons and the writes too"
    )
    actions["retry"].add_argument(
        "--wait", action="store_true", help="wait until the writes are loaded, for at most two minutes"
    )
    add_confirmation_argument(actions["drop"])


def run(stack: Stack, arguments: argparse.Namespace) -> CommandResult:
    """List, retry or drop writes. Raises CommandError."""
    selection = {
        "versions": arguments.version,
        "collections": arguments.collection,
        "ids": arguments.id,
        "batches": arguments.batch,
    }
    if arguments.action == "list":
        return _list_writes(stack, selection, arguments.limit, with_data=arguments.show_data)
    if arguments.all == any(selection.values()):
        raise UsageError("Select writes with --version, --collection, --id or --batch, or give --all.")
    settle_retried_writes(stack)
    count = count_rejected_writes(stack, selection)
    if not count and not arguments.all:
        raise UsageError("No rejected write matches.", "`sluice rejected-writes list` prints all.")
    if arguments.dry_run or not count:
        summary = f"dry run: would {arguments.action} {format_count(count, 'write')}"
        return CommandResult(
            {"dry_run": arguments.dry_run, arguments.action: count},
            [summary if count else "there are no rejected writes"],
        )
    if arguments.action == "drop":
        return _drop_writes(stack, selection, arguments.yes)
    return _retry_writes(stack, selection, wait=arguments.wait)


def _list_writes(stack: Stack, selection: Selection, limit: int, *, with_data: bool) -> CommandResult:
    if limit < 1:
        raise UsageError("--limit must be 1 or more.")
    retrying = settle_retried_writes(stack)["pending"]
    total, writes = list_rejected_writes(stack, selection, limit, with_data=with_data)
    lines = [format_count(total, "rejected write") + (f", the first {len(writes)}:" if len(writes) < total else "")]
    lines += [line for write in writes for line in _format_write(write)]
    if retrying:
        lines.append(f"{format_batches(len(retrying))} of retried writes not loaded yet")
    return CommandResult({"total": total, "rejected_writes": writes, "retrying": retrying}, lines)


def _format_write(write: dict[str, Any]) -> list[str]:
    owner = f" of {write['owner']}" if write.get("owner") else ""
    lines = [
        f"{write['version']}  {write['collection']}/{write['id']}{owner}",
        f"    {write['reason']}",
        f"    {write['object_key']} line {write['line']}",
    ]
    return lines + ([f"    {write['write']}"] if "write" in write else [])


def _drop_writes(stack: Stack, selection: Selection, typed_name: str | None) -> CommandResult:
    versions = list_versions(stack, selection)
    effect = f"drops {format_count(len(versions), 'rejected write')} of {stack.name}"
    require_confirmation(stack.name, effect, typed_name)
    dropped = drop_rejected_writes(stack, selection, versions)
    return CommandResult({"dropped": dropped}, [f"dropped {format_count(dropped, 'write')}"])


def _retry_writes(stack: Stack, selection: Selection, *, wait: bool) -> CommandResult:
    batches = list(retry_rejected_writes(stack, selection))
    keys = [batch["batch"] for batch in batches if batch["batch"]]
    count, invalid = sum(batch["writes"] for batch in batches), sum(batch["invalid"] for batch in batches)
    document: dict[str, Any] = {"retried": count, "invalid": invalid, "batches": keys}
    lines = [f"retried {format_count(count, 'write')}", *(f"  {key}" for key in keys)]
    if invalid:
        lines.append(f"{format_count(invalid, 'write')} not retried: the text is not UTF-8. Drop it.")
    if not wait:
        lines.append("`sluice rejected-writes list` prints the writes that cannot be loaded.")
        return CommandResult(document, lines, EXIT_INCOMPLETE if invalid else EXIT_DONE)
    outcome = _wait_until_settled(stack, set(keys))
    lines.append(f"{outcome['settled']} loaded, {outcome['rejected_again']} rejected again")
    if outcome["pending"]:
        lines.append("Not all writes were loaded in time. They are removed here once they are: see `sluice status`.")
    is_incomplete = invalid or outcome["rejected_again"] or outcome["pending"]
    return CommandResult({**document, **outcome}, lines, EXIT_INCOMPLETE if is_incomplete else EXIT_DONE)


def _wait_until_settled(stack: Stack, keys: set[str]) -> dict[str, Any]:
    """Wait until the batches with these keys are loaded, or for WAIT_SECONDS."""
    settled, rejected_again, pending = 0, 0, keys
    deadline = time.monotonic() + WAIT_SECONDS
    try:
        while pending and time.monotonic() < deadline:
            time.sleep(POLL_INTERVAL_SECONDS)
            step = settle_retried_writes(stack)
            settled, rejected_again = settled + step["settled"], rejected_again + step["rejected_again"]
            pending = keys & {*step["pending"]}
    except KeyboardInterrupt:
        raise WaitInterrupted(
            "Interrupted; the loads continue.", "`sluice rejected-writes list` prints what remains."
        ) from None
    return {"settled": settled, "rejected_again": rejected_again, "pending": sorted(pending)}


def settle_retried_writes(stack: Stack) -> dict[str, Any]:
    """Delete the records of retried writes that are loaded by now.

    Returns `settled` and `rejected_again` (counts of writes that were loaded, and rejected again), and `pending` (the
    keys of the batches that are not loaded yet).
    """
    return dict(stack.invoke("RejectedWrites", {"action": "settle"}))


def count_rejected_writes(stack: Stack, selection: Selection) -> int:
    return int(stack.invoke("RejectedWrites", {"action": "list", "select": selection, "limit": 1})["total"])


def list_rejected_writes(
    stack: Stack, selection: Selection, limit: int, *, with_data: bool
) -> tuple[int, list[dict[str, Any]]]:
    """Count the selected writes, and list the first ones, sorted by version."""
    writes: list[dict[str, Any]] = []
    after: str | None = ""
    total = 0
    while after is not None and len(writes) < limit:
        page_size = min(limit - len(writes), PAGE_SIZE)
        event = {"action": "list", "select": selection, "after": after, "limit": page_size, "data": with_data}
        page = stack.invoke("RejectedWrites", event)
        total, after = int(page["total"]), page["after"]
        writes += page["rejected_writes"]
    return total, writes


def retry_rejected_writes(stack: Stack, selection: Selection) -> Iterator[dict[str, Any]]:
    """Put the selected writes into new batches, and yield each batch.

    A batch has `batch` (its key; empty when nothing could be put into it), `writes` (how many it has) and `invalid`
    (how many could not be put: the text of these is not UTF-8).
    """
    after: str | None = ""
    while after is not None:
        batch = stack.invoke("RejectedWrites", {"action": "retry", "select": selection, "after": after})
        after = batch["after"]
        yield batch


def list_versions(stack: Stack, selection: Selection) -> list[str]:
    """The versions of all selected writes."""
    _, writes = list_rejected_writes(stack, selection, sys.maxsize, with_data=False)
    return [str(write["version"]) for write in writes]


def drop_rejected_writes(stack: Stack, selection: Selection, versions: list[str]) -> int:
    """Delete the records of the selected writes that have one of these versions. Returns how many were deleted.

    The versions make sure that writes rejected after the confirmation stay.
    """
    dropped = 0
    for start in range(0, len(versions), PAGE_SIZE):
        page = versions[start : start + PAGE_SIZE]
        has_more = True
        while has_more:
            response = stack.invoke("RejectedWrites", {"action": "drop", "select": {**selection, "versions": page}})
            dropped, has_more = dropped + response["dropped"], response["more"]
    return dropped
