"""`sluice status`: the database, what waits, and what wants somebody's attention."""

import argparse
from typing import Any

from ops.attention import attention
from ops.outcome import DONE, REMAINS, Outcome
from ops.parked import parked
from ops.quarantined import objects, quarantined
from ops.reports.status import COUNTED, report
from ops.stack import FunctionFailed, Stack
from ops.waiting import waiting
from ops.workflows import OUTPUTS, listed


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
    return Outcome(found, report(found), REMAINS if found["attention"] else DONE)


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
