"""`sluice quarantine`: list, retry or drop batches that cannot be read."""

import argparse
from typing import Any

from ops.arguments import add_action_parsers, add_confirmation_argument
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
from ops.workflows import describe_failure, get_execution_name, start_execution

SUMMARY = "list, retry or drop batches that cannot be read"

_ACTIONS = {
    "list": "list the quarantined batches",
    "retry": "load quarantined batches again",
    "drop": "delete quarantined batches; the archive keeps their records",
}
_EMPTY = "the quarantine is empty"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions of the command and their arguments."""
    actions = add_action_parsers(parser, _ACTIONS)
    for action in (actions["retry"], actions["drop"]):
        action.add_argument("keys", metavar="KEY", nargs="*", help="key of a batch, as `list` prints it")
        action.add_argument("--all", action="store_true", help="every quarantined batch")
        action.add_argument("--dry-run", action="store_true", help="print the batches; change nothing")
    actions["retry"].add_argument("--wait", action="store_true", help="wait until the loads end")
    add_confirmation_argument(actions["drop"])


def run(stack: Stack, arguments: argparse.Namespace) -> CommandResult:
    """List, retry or drop batches. Raises CommandError."""
    batches = list_quarantined_batches(stack)
    if arguments.action == "list":
        rows = [(batch.since, format_size(batch.size), batch.key) for batch in batches]
        lines = format_table(("since", "size", "batch"), rows) if rows else [_EMPTY]
        return CommandResult([vars(batch) for batch in batches], lines)
    keys = _select_batches(batches, arguments)
    if arguments.dry_run:
        lines = [f"dry run: would {arguments.action} {format_batches(len(keys))}", *(f"  {key}" for key in keys)]
        return CommandResult({"dry_run": True, arguments.action: keys}, lines)
    if arguments.action == "retry":
        return _retry_batches(stack, keys, wait=arguments.wait)
    return _drop_batches(stack, keys, arguments.yes)


def _select_batches(batches: list[QuarantinedBatch], arguments: argparse.Namespace) -> list[str]:
    quarantined = [batch.key for batch in batches]
    if arguments.all == bool(arguments.keys):
        raise UsageError("Give the keys of batches, or --all.", "`sluice quarantine list` prints the keys.")
    for key in arguments.keys:
        if key not in quarantined:
            raise UsageError(f"{key} is not quarantined.", "`sluice quarantine list` prints the quarantined batches.")
    return quarantined if arguments.all else list(arguments.keys)


def _drop_batches(stack: Stack, keys: list[str], typed_name: str | None) -> CommandResult:
    if keys:
        effect = f"deletes {format_batches(len(keys))} of {stack.name} and the copies in quarantine"
        require_confirmation(stack.name, effect, typed_name)
    for key in keys:
        delete_batch(stack, key)
    return CommandResult({"dropped": keys}, [f"dropped {format_batches(len(keys))}", *(f"  {key}" for key in keys)])


def _retry_batches(stack: Stack, keys: list[str], *, wait: bool) -> CommandResult:
    started: dict[str, str] = {}
    missing = []
    for key in keys:
        event = build_batch_event(stack, key)
        if event is None:
            missing.append(key)
            continue
        remove_from_quarantine(stack, key)
        started[key] = start_execution(stack, "load_batch", event)
    states = {key: _get_load_state(stack, arn, wait=wait) for key, arn in started.items()}
    lines = [f"{state['status']}  {key}" for key, state in states.items()]
    lines += [f"    {state['message']}" for state in states.values() if state["message"]]
    for key in missing:
        lines += [f"missing  {key}", "    The bucket has no such batch any more. Drop it, or replay from the archive."]
    is_complete = not missing and all(
        state["status"] in {"loaded", "already_loaded", "started"} for state in states.values()
    )
    document: dict[str, Any] = {"retried": states, "missing": missing}
    return CommandResult(document, lines or [_EMPTY], EXIT_DONE if is_complete else EXIT_INCOMPLETE)


def _get_load_state(stack: Stack, arn: str, *, wait: bool) -> dict[str, Any]:
    if not wait:
        return {"status": "started", "execution": get_execution_name(arn), "message": None}
    execution = wait_for_execution(stack, arn)
    if execution.status == "SUCCEEDED":
        return {"status": execution.output["status"], "execution": execution.name, "message": None}
    status = (execution.error or execution.status).lower()
    return {"status": status, "execution": execution.name, "message": describe_failure(execution)}
