"""`sluice status`: the database, what waits, and what wants somebody's attention."""

import argparse
from typing import Any

from ops.attention import attention
from ops.moments import duration
from ops.outcome import DONE, REMAINS, Outcome
from ops.parked import parked
from ops.printing import batches, many, pairs, size
from ops.quarantined import objects, quarantined
from ops.stack import FunctionFailed, Stack
from ops.waiting import waiting
from ops.workflows import OUTPUTS, listed

# Of objects that are only counted.
COUNTED = 1_000


def describe(_parser: argparse.ArgumentParser) -> None:
    """It has no arguments of its own."""


def run(stack: Stack, _arguments: argparse.Namespace) -> Outcome:
    """Look at everything; the exit code is 1 when something wants attention."""
    survey = stack.invoke("Survey", {})
    missing = _waiting(stack)
    count, exact = parked(stack, missing) if missing else (None, False)
    running = {
        name: [one.name for one in listed(stack, name, "RUNNING")]
        for name, key in OUTPUTS.items()
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
        "quarantined": len(quarantined(stack)),
        "rejects": ledger["rejected"] if ledger else None,
        "undelivered": sum(1 for _, _ in zip(objects(stack, "errors/"), range(COUNTED), strict=False)),
        "dead_letters": _dead_letters(stack),
        "running": running,
    }
    found["attention"] = attention(found)
    return Outcome(found, _lines(found), REMAINS if found["attention"] else DONE)


def _waiting(stack: Stack) -> dict[str, Any] | None:
    try:
        return waiting(stack, {})
    except FunctionFailed as failed:
        if failed.error in {"DatabaseAway", "AccessDenied", "SchemaBehind"}:
            return None  # the survey says the same, better
        raise


def _dead_letters(stack: Stack) -> int:
    answer = stack.client("sqs").get_queue_attributes(
        QueueUrl=stack.output("EventDeadLettersUrl"), AttributeNames=["ApproximateNumberOfMessages"]
    )
    return int(answer["Attributes"]["ApproximateNumberOfMessages"])


def _lines(found: dict[str, Any]) -> list[str]:
    running = [f"{name} {one}" for name, names in found["running"].items() for one in names]
    rows = [
        ("stack", f"{found['stack']} in {found['region']}"),
        (
            "primary",
            "takes writes" if found["primary"]["takes_writes"] else f"takes no writes: {found['primary']['reason']}",
        ),
        ("replica", _replica(found)),
        ("loaded", _known(found["loaded"], "batch", "batches")),
        ("waiting", _waits(found["waiting"])),
        ("loading", batches(found["loading"])),
        ("parked", _parked(found)),
        ("quarantined", batches(found["quarantined"])),
        ("rejects", _known(found["rejects"], "write", "writes")),
        ("undelivered", _counted(found["undelivered"])),
        ("dead letters", many(found["dead_letters"], "event")),
        ("running", ", ".join(running) or "no workflow"),
    ]
    return [*pairs(rows), *(["", *found["attention"]] if found["attention"] else [])]


def _replica(found: dict[str, Any]) -> str:
    if found["replica"]["follows"]:
        return f"follows, {found['lag_seconds']} s behind when asked"
    return f"does not follow: {found['replica']['reason']}"


def _waits(missing: dict[str, Any] | None) -> str:
    if missing is None:
        return "unknown while the primary is away"
    if not missing["batches"]:
        return "0 batches"
    return f"{batches(missing['batches'])}, {size(missing['bytes'])}, the oldest for {duration(missing['age_seconds'])}"


def _parked(found: dict[str, Any]) -> str:
    if found["parked"] is None:
        return "unknown while the primary is away"
    return batches(found["parked"]) + ("" if found["parked_exact"] else ", about")


def _known(count: int | None, one: str, more: str) -> str:
    return "unknown while the primary is away" if count is None else many(count, one, more)


def _counted(count: int) -> str:
    return many(count, "object") + (" or more" if count == COUNTED else "")
