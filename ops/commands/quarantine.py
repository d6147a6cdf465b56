"""`sluice quarantine`: batches that cannot be read."""

import argparse
from typing import Any

from ops.arguments import add_common_arguments
from ops.aws import Stack
from ops.batches import (
    QuarantinedBatch,
    build_batch_event,
    delete_batch,
    list_quarantined_batches,
    remove_from_quarantine,
)
from ops.errors import EXIT_DONE, EXIT_INCOMPLETE, UsageError
from ops.output import CommandResult, format_batches, format_size, format_table, require_confirmation
from ops.progress import wait_for_execution
from ops.workflows import describe_failure, start_execution


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="list | retry | drop")
    add_common_arguments(actions.add_parser("list", help="show them"))
    for name, help_ in (("retry", "load them again"), ("drop", "delete them; the archive still has their records")):
        action = actions.add_parser(name, help=help_)
        action.add_argument("keys", metavar="KEY", nargs="*", help="of a batch, as the list shows it")
        action.add_argument("--all", action="store_true", help="every batch in quarantine")
        action.add_argument("--dry-run", action="store_true", help="only say which")
        if name == "retry":
            action.add_argument("--wait", action="store_true", help="until the loads have ended")
        else:
            action.add_argument("--yes", metavar="NAME", help="the stack's name: confirms without asking")
        add_common_arguments(action)


def run(stack: Stack, arguments: argparse.Namespace) -> CommandResult:
    """List, retry or drop. Raises Mistake."""
    found = list_quarantined_batches(stack)
    if arguments.action == "list":
        rows = [(one.since, format_size(one.size), one.key) for one in found]
        lines = format_table(("since", "size", "batch"), rows) if rows else ["nothing is in quarantine"]
        return CommandResult([vars(one) for one in found], lines)
    chosen = _select_batches(found, arguments)
    if arguments.dry_run:
        lines = [f"dry run: would {arguments.action} {format_batches(len(chosen))}", *(f"  {key}" for key in chosen)]
        return CommandResult({"dry_run": True, arguments.action: chosen}, lines)
    return (
        _retry_batches(stack, chosen, wait=arguments.wait)
        if arguments.action == "retry"
        else _drop_batches(stack, chosen, arguments)
    )


def _select_batches(found: list[QuarantinedBatch], arguments: argparse.Namespace) -> list[str]:
    there = [one.key for one in found]
    if arguments.all == bool(arguments.keys):
        raise UsageError("Name batches, or give --all; `sluice quarantine list` shows them.")
    for key in arguments.keys:
        if key not in there:
            raise UsageError(f"{key} is not in quarantine; `sluice quarantine list` shows what is.")
    return there if arguments.all else list(arguments.keys)


def _drop_batches(stack: Stack, keys: list[str], arguments: argparse.Namespace) -> CommandResult:
    if keys:
        require_confirmation(
            stack.name,
            f"deletes {format_batches(len(keys))} of {stack.name} and the copies in quarantine",
            arguments.yes,
        )
    for key in keys:
        delete_batch(stack, key)
    return CommandResult({"dropped": keys}, [f"dropped {format_batches(len(keys))}", *(f"  {key}" for key in keys)])


def _retry_batches(stack: Stack, keys: list[str], *, wait: bool) -> CommandResult:
    started: dict[str, str] = {}
    gone = []
    for key in keys:
        event = build_batch_event(stack, key)
        if event is None:
            gone.append(key)
            continue
        remove_from_quarantine(stack, key)
        started[key] = start_execution(stack, "load_batch", event)
    states = {key: _get_load_state(stack, arn, wait=wait) for key, arn in started.items()}
    document: dict[str, Any] = {"retried": states, "gone": gone}
    lines = [f"{state['status']}  {key}" for key, state in states.items()]
    lines += [f"    {state['sentence']}" for state in states.values() if state["sentence"]]
    for key in gone:
        lines += [f"gone  {key}", "    Its batch is not in the bucket any more; drop it, or replay from the archive."]
    whole = not gone and all(state["status"] in {"loaded", "already_loaded", "started"} for state in states.values())
    return CommandResult(document, lines or ["nothing is in quarantine"], EXIT_DONE if whole else EXIT_INCOMPLETE)


def _get_load_state(stack: Stack, arn: str, *, wait: bool) -> dict[str, Any]:
    if not wait:
        return {"status": "started", "execution": arn.rsplit(":", 1)[-1], "sentence": None}
    ended = wait_for_execution(stack, arn)
    if ended.status == "SUCCEEDED":
        return {"status": ended.output["status"], "execution": ended.name, "sentence": None}
    return {
        "status": (ended.error or ended.status).lower(),
        "execution": ended.name,
        "sentence": describe_failure(ended),
    }
