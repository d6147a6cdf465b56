"""`sluice rejects`: single writes that the database could not take."""

import argparse
import time
from typing import Any

from ops.common import add_common
from ops.confirming import confirm
from ops.outcome import DONE, REMAINS, Interrupted, Mistake, Outcome
from ops.printing import batches, many
from ops.rejected import Selection, drop, rejects, retry, settle, total, versions
from ops.stack import Stack

# A batch that is not loaded by then is parked, or waits for its turn.
WAIT_SECONDS = 120.0
PAUSE = 1.0


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="list | retry | drop")
    helps = {"list": "show them", "retry": "load them again", "drop": "forget them; S3 still has them"}
    for name, help_ in helps.items():
        action = actions.add_parser(name, help=help_)
        add_common(action)
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


def run(stack: Stack, arguments: argparse.Namespace) -> Outcome:
    """List, retry or drop. Raises Mistake and Failure."""
    select = {
        "versions": arguments.version,
        "collections": arguments.collection,
        "ids": arguments.id,
        "batches": arguments.batch,
    }
    if arguments.action == "list":
        return _list(stack, select, arguments.limit, data=arguments.show_data)
    if arguments.all == any(select.values()):
        raise Mistake("Say which, by --version, --collection, --id or --batch, or give --all.")
    settle(stack)
    count = total(stack, select)
    if not count and not arguments.all:
        raise Mistake("No rejected write fits; `sluice rejects list` shows what there is.")
    if arguments.dry_run or not count:
        return Outcome(
            {"dry_run": arguments.dry_run, arguments.action: count},
            [f"dry run: would {arguments.action} {many(count, 'write')}" if count else "there are no rejected writes"],
        )
    if arguments.action == "drop":
        return _drop(stack, select, arguments.yes)
    return _retry(stack, select, wait=arguments.wait)


def _list(stack: Stack, select: Selection, limit: int, *, data: bool) -> Outcome:
    if limit < 1:
        raise Mistake("--limit must be 1 or more.")
    settled = settle(stack)
    count, found = rejects(stack, select, limit, data=data)
    lines = [many(count, "rejected write") + (f", the first {len(found)}:" if len(found) < count else "")]
    lines += [line for one in found for line in _shown(one)]
    if settled["pending"]:
        lines.append(f"{batches(len(settled['pending']))} of retried writes not loaded yet")
    return Outcome({"total": count, "rejects": found, "retrying": settled["pending"]}, lines)


def _shown(one: dict[str, Any]) -> list[str]:
    owner = f" of {one['owner']}" if one.get("owner") else ""
    lines = [
        f"{one['version']}  {one['collection']}/{one['id']}{owner}",
        f"    {one['reason']}",
        f"    {one['object_key']} line {one['line']}",
    ]
    return lines + ([f"    {one['write']}"] if "write" in one else [])


def _drop(stack: Stack, select: Selection, yes: str | None) -> Outcome:
    found = versions(stack, select)
    confirm(stack.name, f"forgets {many(len(found), 'rejected write')} of {stack.name}", yes)
    dropped = drop(stack, select, found)
    return Outcome({"dropped": dropped}, [f"dropped {many(dropped, 'write')}"])


def _retry(stack: Stack, select: Selection, *, wait: bool) -> Outcome:
    put = list(retry(stack, select))
    keys = [one["batch"] for one in put if one["batch"]]
    count, broken = sum(one["writes"] for one in put), sum(one["broken"] for one in put)
    document: dict[str, Any] = {"retried": count, "broken": broken, "batches": keys}
    lines = [f"retried {many(count, 'write')}", *(f"  {key}" for key in keys)]
    if broken:
        lines.append(
            f"{many(broken, 'write')} not retried: the text was no UTF-8, so it is no write any more; drop it."
        )
    if not wait:
        lines.append("`sluice rejects list` shows what could not be loaded.")
        return Outcome(document, lines, REMAINS if broken else DONE)
    found = _settled(stack, set(keys))
    lines.append(f"{found['settled']} loaded, {found['again']} rejected again")
    if found["pending"]:
        lines.append(
            "Not all were loaded in time; they are no longer rejects as soon as they are: see `sluice status`."
        )
    return Outcome({**document, **found}, lines, REMAINS if broken or found["again"] or found["pending"] else DONE)


def _settled(stack: Stack, keys: set[str]) -> dict[str, Any]:
    settled, again, pending = 0, 0, keys
    deadline = time.monotonic() + WAIT_SECONDS
    try:
        while pending and time.monotonic() < deadline:
            time.sleep(PAUSE)
            step = settle(stack)
            settled, again, pending = settled + step["settled"], again + step["again"], keys & {*step["pending"]}
    except KeyboardInterrupt:
        raise Interrupted("They are loaded without you; `sluice rejects list` shows what remains.") from None
    return {"settled": settled, "again": again, "pending": sorted(pending)}
