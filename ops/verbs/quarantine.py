"""`sluice quarantine`: batches that cannot be read."""

import argparse
from typing import Any

from ops.common import add_common
from ops.confirming import confirm
from ops.ending import failure
from ops.outcome import DONE, REMAINS, Mistake, Outcome
from ops.printing import batches, size, table
from ops.progress import follow
from ops.quarantined import Quarantined, batch_event, quarantined, release, remove
from ops.stack import Stack
from ops.workflows import start


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="list | retry | drop")
    add_common(actions.add_parser("list", help="show them"))
    for name, help_ in (("retry", "load them again"), ("drop", "delete them; the archive still has their records")):
        action = actions.add_parser(name, help=help_)
        action.add_argument("keys", metavar="KEY", nargs="*", help="of a batch, as the list shows it")
        action.add_argument("--all", action="store_true", help="every batch in quarantine")
        action.add_argument("--dry-run", action="store_true", help="only say which")
        if name == "retry":
            action.add_argument("--wait", action="store_true", help="until the loads have ended")
        else:
            action.add_argument("--yes", metavar="NAME", help="the stack's name: confirms without asking")
        add_common(action)


def run(stack: Stack, arguments: argparse.Namespace) -> Outcome:
    """List, retry or drop. Raises Mistake."""
    found = quarantined(stack)
    if arguments.action == "list":
        rows = [(one.since, size(one.size), one.key) for one in found]
        lines = table(("since", "size", "batch"), rows) if rows else ["nothing is in quarantine"]
        return Outcome([vars(one) for one in found], lines)
    chosen = _chosen(found, arguments)
    if arguments.dry_run:
        lines = [f"dry run: would {arguments.action} {batches(len(chosen))}", *(f"  {key}" for key in chosen)]
        return Outcome({"dry_run": True, arguments.action: chosen}, lines)
    return (
        _retry(stack, chosen, wait=arguments.wait) if arguments.action == "retry" else _drop(stack, chosen, arguments)
    )


def _chosen(found: list[Quarantined], arguments: argparse.Namespace) -> list[str]:
    there = [one.key for one in found]
    if arguments.all == bool(arguments.keys):
        raise Mistake("Name batches, or give --all; `sluice quarantine list` shows them.")
    for key in arguments.keys:
        if key not in there:
            raise Mistake(f"{key} is not in quarantine; `sluice quarantine list` shows what is.")
    return there if arguments.all else list(arguments.keys)


def _drop(stack: Stack, keys: list[str], arguments: argparse.Namespace) -> Outcome:
    if keys:
        confirm(stack.name, f"deletes {batches(len(keys))} of {stack.name} and the copies in quarantine", arguments.yes)
    for key in keys:
        remove(stack, key)
    return Outcome({"dropped": keys}, [f"dropped {batches(len(keys))}", *(f"  {key}" for key in keys)])


def _retry(stack: Stack, keys: list[str], *, wait: bool) -> Outcome:
    started: dict[str, str] = {}
    gone = []
    for key in keys:
        event = batch_event(stack, key)
        if event is None:
            gone.append(key)
            continue
        release(stack, key)
        started[key] = start(stack, "load_batch", event)
    states = {key: _state(stack, arn, wait=wait) for key, arn in started.items()}
    document: dict[str, Any] = {"retried": states, "gone": gone}
    lines = [f"{state['status']}  {key}" for key, state in states.items()]
    lines += [f"    {state['sentence']}" for state in states.values() if state["sentence"]]
    for key in gone:
        lines += [f"gone  {key}", "    Its batch is not in the bucket any more; drop it, or replay from the archive."]
    whole = not gone and all(state["status"] in {"loaded", "already_loaded", "started"} for state in states.values())
    return Outcome(document, lines or ["nothing is in quarantine"], DONE if whole else REMAINS)


def _state(stack: Stack, arn: str, *, wait: bool) -> dict[str, Any]:
    if not wait:
        return {"status": "started", "execution": arn.rsplit(":", 1)[-1], "sentence": None}
    ended = follow(stack, arn)
    if ended.status == "SUCCEEDED":
        return {"status": ended.output["status"], "execution": ended.name, "sentence": None}
    return {"status": (ended.error or ended.status).lower(), "execution": ended.name, "sentence": failure(ended)}
