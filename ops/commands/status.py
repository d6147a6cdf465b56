"""`sluice status`: the database, what waits, and what wants somebody's attention.

What a stack was found to be like.

What in a status wants somebody's attention, and the command that helps.
"""

import argparse
from typing import Any

from ops.aws import Stack
from ops.batches import count_parked_batches, count_pending_batches, list_objects, list_quarantined_batches
from ops.errors import EXIT_DONE, EXIT_INCOMPLETE, FunctionError
from ops.output import CommandResult, format_batches, format_count, format_pairs, format_size
from ops.times import format_duration
from ops.workflows import WORKFLOW_OUTPUTS, list_executions


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """It has no arguments of its own."""


def run(stack: Stack, _arguments: argparse.Namespace) -> CommandResult:
    """Look at everything; the exit code is 1 when something wants attention."""
    survey = stack.invoke("HealthCheck", {})
    missing = _count_pending(stack)
    count, exact = count_parked_batches(stack, missing) if missing else (None, False)
    running = {
        name: [one.name for one in list_executions(stack, name, "RUNNING")]
        for name, key in WORKFLOW_OUTPUTS.items()
        if key in stack.outputs
    }
    ledger = survey["ledger"]
    found = {
        "stack": stack.name,
        "region": stack.region,
        "primary": survey["primary"],
        "replica": survey["replica"],
        "lag_seconds": survey["replica"]["seconds"],
        "loaded": ledger["batches"] if ledger else None,
        "waiting": missing,
        "loading": len(running.pop("load_batch")),
        "parked": count,
        "parked_exact": exact,
        "quarantined": len(list_quarantined_batches(stack)),
        "rejects": ledger["rejected"] if ledger else None,
        "undelivered": sum(1 for _, _ in zip(list_objects(stack, "errors/"), range(MAX_COUNTED_OBJECTS), strict=False)),
        "dead_letters": _count_dead_letters(stack),
        "running": running,
    }
    found["attention"] = list_advice(found)
    return CommandResult(found, format_report(found), EXIT_INCOMPLETE if found["attention"] else EXIT_DONE)


def _count_pending(stack: Stack) -> dict[str, Any] | None:
    try:
        return count_pending_batches(stack, {})
    except FunctionError as failed:
        if failed.error in {"DatabaseUnavailable", "AccessDenied", "SchemaOutdated"}:
            return None  # the survey says the same, better
        raise


def _count_dead_letters(stack: Stack) -> int:
    answer = stack.client("sqs").get_queue_attributes(
        QueueUrl=stack.output("EventDeadLettersUrl"), AttributeNames=["ApproximateNumberOfMessages"]
    )
    return int(answer["Attributes"]["ApproximateNumberOfMessages"])


# Objects that are only counted are counted so far.
MAX_COUNTED_OBJECTS = 1_000


def format_report(found: dict[str, Any]) -> list[str]:
    """The lines for it, and a sentence for each thing that wants attention."""
    running = [f"{name} {one}" for name, names in found["running"].items() for one in names]
    rows = [
        ("stack", f"{found['stack']} in {found['region']}"),
        (
            "primary",
            "takes writes" if found["primary"]["takes_writes"] else f"takes no writes: {found['primary']['reason']}",
        ),
        ("replica", _format_replica(found)),
        ("loaded", _format_known_count(found["loaded"], "batch", "batches")),
        ("waiting", _format_pending(found["waiting"])),
        ("loading", format_batches(found["loading"])),
        ("parked", _format_parked(found)),
        ("quarantined", format_batches(found["quarantined"])),
        ("rejects", _format_known_count(found["rejects"], "write", "writes")),
        ("undelivered", _format_capped_count(found["undelivered"])),
        ("dead letters", format_count(found["dead_letters"], "event")),
        ("running", ", ".join(running) or "no workflow"),
    ]
    return [*format_pairs(rows), *(["", *found["attention"]] if found["attention"] else [])]


def _format_replica(found: dict[str, Any]) -> str:
    if found["replica"]["follows"]:
        return f"follows, {found['lag_seconds']} s behind when asked"
    if not found["replica"]["answers"]:
        return f"does not answer: {found['replica']['reason']}"
    if not found["primary"]["answers"]:
        return "answers; whether it follows is unknown while the primary is away"
    return f"does not follow: {found['replica']['reason']}"


def _format_pending(missing: dict[str, Any] | None) -> str:
    if missing is None:
        return "unknown while the primary is away"
    if not missing["batches"]:
        return "0 batches"
    return f"{format_batches(missing['batches'])}, {format_size(missing['bytes'])}, the oldest for {format_duration(missing['age_seconds'])}"  # noqa: E501


def _format_parked(found: dict[str, Any]) -> str:
    if found["parked"] is None:
        return "unknown while the primary is away"
    return format_batches(found["parked"]) + ("" if found["parked_exact"] else ", about")


def _format_known_count(count: int | None, one: str, more: str) -> str:
    return "unknown while the primary is away" if count is None else format_count(count, one, more)


def _format_capped_count(count: int) -> str:
    return format_count(count, "object") + (" or more" if count == MAX_COUNTED_OBJECTS else "")


# Longer than a delivered batch takes to be loaded, retries included.
MAX_PENDING_SECONDS = 900


def list_advice(found: dict[str, Any]) -> list[str]:
    """A sentence for each thing; none when all is well."""
    said = [*_advise_on_database(found), *_advise_on_batches(found)]
    if count := found["quarantined"]:
        said.append(f"{format_batches(count)} cannot be read: `sluice quarantine list`.")
    if count := found["rejects"]:
        said.append(f"{format_count(count, 'write')} could not be taken: `sluice rejected-writes list`.")
    if count := found["undelivered"]:
        said.append(
            f"{format_count(count, 'object')} under errors/: Firehose could not deliver these; "
            "see docs/how-to/firehose-errors.md."
        )
    if count := found["dead_letters"]:
        said.append(
            f"{format_count(count, 'event')} started nothing; what they were for is loaded by `sluice recover --wait`."
        )
    return said


def _advise_on_database(found: dict[str, Any]) -> list[str]:
    said = []
    if not found["primary"]["answers"]:
        said.append("The primary does not answer. Writes go on being accepted; recover loads them when it is back.")
    elif not found["primary"]["takes_writes"]:
        said.append("The primary takes no writes. They go on being accepted; recover loads them when it does.")
    if not found["replica"]["answers"]:
        said.append("The replica does not answer: reads fail.")
    elif not found["replica"]["follows"] and found["primary"]["answers"]:
        said.append("The replica does not follow: reads are stale.")
    return said


def _advise_on_batches(found: dict[str, Any]) -> list[str]:
    running = any(found["running"].values())
    if found["parked"]:
        helps = "a workflow is at work, see `sluice executions`" if running else "`sluice recover --wait`"
        return [f"{format_batches(found['parked'])} parked: {helps}."]
    missing = found["waiting"]
    if (
        missing
        and missing["batches"]
        and missing["age_seconds"] > MAX_PENDING_SECONDS
        and not (running or found["loading"])
    ):
        return [f"Nothing loads what waits for {format_duration(missing['age_seconds'])}: `sluice recover --wait`."]
    return []
