"""`sluice status`: the state of the database, the batches and the workflows, with advice."""

import argparse
import dataclasses
from typing import Any

from ops.alerts import Subscribers, count_subscribers, format_subscribers
from ops.aws import Stack
from ops.batches import (
    LEDGER_ERRORS,
    count_parked_batches,
    count_pending_batches,
    list_objects,
    list_quarantined_batches,
)
from ops.errors import EXIT_DONE, EXIT_INCOMPLETE, FunctionError, UsageError
from ops.output import CommandResult, format_batches, format_count, format_pairs, format_size
from ops.replicas import advise_on_replicas, compute_lag, list_replica_rows, read_replicas
from ops.times import format_duration
from ops.workflows import WORKFLOW_OUTPUTS, has_workflow, list_executions

SUMMARY = "show the state of the database, batches and workflows"

# Undelivered objects are counted up to this number.
MAX_COUNTED_OBJECTS = 1_000
MAX_WATCH_SECONDS = 3_600
# A delivered batch is loaded sooner than this, retries included.
MAX_PENDING_SECONDS = 900

_UNKNOWN = "unknown: the primary is unavailable"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "--watch", metavar="SECONDS", nargs="?", type=float, const=0.0,
        help="show it again and again, with rates and alarms, until Ctrl-C (default: every 2 seconds for the local "
        "stack, every 15 for another); with --json, a line for each",
    )  # fmt: skip


def run(stack: Stack, arguments: argparse.Namespace) -> CommandResult:
    """Read the state of everything. The exit code is 1 when there is advice, and 0 at the end of `--watch`."""
    if arguments.watch is not None:
        return _watch(stack, arguments.watch, as_json=arguments.json)
    status = read_status(stack)
    return CommandResult(status, format_report(status), EXIT_INCOMPLETE if status["advice"] else EXIT_DONE)


def _watch(stack: Stack, seconds: float, *, as_json: bool) -> CommandResult:
    if not 0 <= seconds <= MAX_WATCH_SECONDS:
        raise UsageError(f"--watch must be from 0 to {MAX_WATCH_SECONDS} seconds.")
    # A missing stack is an error of the command, and not a problem in each picture.
    stack.output("BatchBucketName")
    # It shows what a console shows, whose code uses this module.
    from ops.console.watch import watch_status  # noqa: PLC0415

    watch_status(stack, seconds or None, as_json=as_json)
    return CommandResult(None)


def read_status(stack: Stack) -> dict[str, Any]:
    """The state of everything, as `--json` prints it. Raises CommandError, and the exceptions of botocore."""
    health = stack.invoke("HealthCheck", {})
    replicas = read_replicas(health)
    pending = _count_pending(stack)
    parked, parked_exact = count_parked_batches(stack, pending) if pending else (None, False)
    running = {
        workflow: [execution.name for execution in list_executions(stack, workflow, "RUNNING")]
        for workflow in WORKFLOW_OUTPUTS
        if has_workflow(stack, workflow)
    }
    ledger = health["ledger"]
    status = {
        "stack": stack.name,
        "region": stack.region,
        "primary": health["primary"],
        "replicas": replicas,
        "lag_seconds": compute_lag(replicas),
        "loaded": ledger["batches"] if ledger else None,
        "pending": pending,
        "loading": len(running.pop("load_batch")),
        "parked": parked,
        "parked_exact": parked_exact,
        "quarantined": len(list_quarantined_batches(stack)),
        "rejected_writes": ledger["rejected"] if ledger else None,
        "undelivered": _count_undelivered(stack),
        "dead_letters": _count_dead_letters(stack),
        "alerts": dataclasses.asdict(count_subscribers(stack)),
        "is_protected": stack.parameters.get("DeletionProtection") == "true",
        "running": running,
    }
    status["advice"] = list_advice(status)
    return status


def _count_pending(stack: Stack) -> dict[str, Any] | None:
    """The pending batches; None when the ledger cannot be read."""
    try:
        return count_pending_batches(stack, {})
    except FunctionError as failure:
        # The health check reports these errors with more detail.
        if failure.error in LEDGER_ERRORS:
            return None
        raise


def _count_undelivered(stack: Stack) -> int:
    objects = list_objects(stack, "errors/")
    return sum(1 for _, _ in zip(objects, range(MAX_COUNTED_OBJECTS), strict=False))


def _count_dead_letters(stack: Stack) -> int:
    response = stack.client("sqs").get_queue_attributes(
        QueueUrl=stack.output("EventDeadLettersUrl"), AttributeNames=["ApproximateNumberOfMessages"]
    )
    return int(response["Attributes"]["ApproximateNumberOfMessages"])


def list_advice(status: dict[str, Any]) -> list[str]:
    """What needs attention, a sentence each with the command that helps; empty when all is well."""
    advice = [*_advise_on_database(status), *_advise_on_batches(status)]
    if count := status["quarantined"]:
        advice.append(f"{format_batches(count)} cannot be read: see `sluice quarantine list`.")
    if count := status["rejected_writes"]:
        advice.append(f"The database rejected {format_count(count, 'write')}: see `sluice rejected-writes list`.")
    if count := status["undelivered"]:
        advice.append(
            f"Firehose could not deliver {format_count(count, 'object')} (prefix errors/): "
            "see docs/how-to/firehose-errors.md."
        )
    if count := status["dead_letters"]:
        advice.append(
            f"{format_count(count, 'event')} in the dead-letter queue: `sluice recover --wait` loads their batches."
        )
    return advice


def _advise_on_database(status: dict[str, Any]) -> list[str]:
    advice = []
    if not status["primary"]["is_reachable"]:
        advice.append("The primary does not respond. The API still accepts writes; a recovery loads them later.")
    elif not status["primary"]["accepts_writes"]:
        advice.append("The primary accepts no writes. The API still accepts them; a recovery loads them later.")
    advice += advise_on_replicas(status["primary"], status["replicas"])
    return advice


def _advise_on_batches(status: dict[str, Any]) -> list[str]:
    is_workflow_running = any(status["running"].values())
    if status["parked"]:
        action = "a workflow is running, see `sluice executions`" if is_workflow_running else "`sluice recover --wait`"
        return [f"{format_batches(status['parked'])} parked: {action}."]
    pending = status["pending"]
    if not pending or not pending["batches"] or pending["age_seconds"] <= MAX_PENDING_SECONDS:
        return []
    if is_workflow_running or status["loading"]:
        return []
    age = format_duration(pending["age_seconds"])
    return [f"A batch is pending for {age} and nothing loads it: `sluice recover --wait`."]


def format_report(status: dict[str, Any]) -> list[str]:
    """The lines for a person: the figures, then the advice."""
    running = [f"{workflow} {name}" for workflow, names in status["running"].items() for name in names]
    primary = status["primary"]
    rows = [
        ("stack", f"{status['stack']} in {status['region']}"),
        ("primary", "accepts writes" if primary["accepts_writes"] else f"accepts no writes: {primary['reason']}"),
        *list_replica_rows(primary, status["replicas"]),
        ("loaded", _format_known_count(status["loaded"], "batch", "batches")),
        ("pending", _format_pending(status["pending"])),
        ("loading", format_batches(status["loading"])),
        ("parked", _format_parked(status)),
        ("quarantined", format_batches(status["quarantined"])),
        ("rejected", _format_known_count(status["rejected_writes"], "write", "writes")),
        ("undelivered", _format_capped_count(status["undelivered"])),
        ("dead letters", format_count(status["dead_letters"], "event")),
        ("alerts", format_subscribers(Subscribers(**status["alerts"]))),
        # The first deployment must be without it (ADR-0104).
        ("protection", "on" if status["is_protected"] else "off: deploy with DeletionProtection=true"),
        ("running", ", ".join(running) or "no workflow"),
    ]
    return [*format_pairs(rows), *(["", *status["advice"]] if status["advice"] else [])]


def _format_pending(pending: dict[str, Any] | None) -> str:
    if pending is None:
        return _UNKNOWN
    if not pending["batches"]:
        return "0 batches"
    age = format_duration(pending["age_seconds"])
    return f"{format_batches(pending['batches'])}, {format_size(pending['bytes'])}, oldest {age} ago"


def _format_parked(status: dict[str, Any]) -> str:
    if status["parked"] is None:
        return _UNKNOWN
    return ("" if status["parked_exact"] else "about ") + format_batches(status["parked"])


def _format_known_count(count: int | None, singular: str, plural: str) -> str:
    return _UNKNOWN if count is None else format_count(count, singular, plural)


def _format_capped_count(count: int) -> str:
    return format_count(count, "object") + (" or more" if count == MAX_COUNTED_OBJECTS else "")
