"""Batches of a stack: pending, parked and quarantined."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from ops.aws import Stack
from ops.times import format_time, seconds_since
from ops.workflows import describe_execution, list_executions

BATCH_PREFIX = "batches/"
QUARANTINE_PREFIX = "quarantine/"
# Errors of a function that cannot read the ledger.
LEDGER_ERRORS = frozenset({"DatabaseUnavailable", "AccessDenied", "SchemaOutdated"})
# How many failed loads, the latest first, are read to find the parked batches.
MAX_INSPECTED_EXECUTIONS = 100


def count_pending_batches(stack: Stack, request: dict[str, Any]) -> dict[str, Any]:
    """Count the batches that S3 has and the ledger lacks, in the window of a replay request.

    Returns `batches`, `bytes`, `oldest` (RFC 3339), `age_seconds` of the oldest, and `sample` (some keys). The plan
    function lists all keys step by step, which takes minutes for millions. Raises FunctionError: one of
    LEDGER_ERRORS when the ledger cannot be read.
    """
    plan = stack.invoke("Plan", {"step": "begin", "name": "status", "request": request})
    while not plan["verified"]:
        plan = stack.invoke("Plan", {"step": "verify", "plan": plan})
    remaining = plan["remaining"]
    return {
        "batches": remaining["objects"],
        "bytes": remaining["bytes"],
        "oldest": remaining["oldest"],
        "age_seconds": round(seconds_since(remaining["oldest"])) if remaining["oldest"] else None,
        "sample": remaining["sample"],
    }


def count_parked_batches(stack: Stack, pending: dict[str, Any]) -> tuple[int, bool]:
    """Count the pending batches that are parked, and say whether the count is exact.

    The count is an estimate when there are more pending batches than the sample has, or more failed loads than are
    read.
    """
    if not pending["batches"]:
        return 0, True
    failed = list_executions(stack, "load_batch", "FAILED", MAX_INSPECTED_EXECUTIONS)
    keys = {find_parked_key(stack, execution.arn) for execution in failed} - {""}
    if pending["batches"] == len(pending["sample"]):
        return len(keys & set(pending["sample"])), len(failed) < MAX_INSPECTED_EXECUTIONS
    return min(len(keys), pending["batches"]), False


def find_parked_key(stack: Stack, arn: str) -> str:
    """The key of the batch that a failed load has parked; empty when it failed for another reason."""
    load = describe_execution(stack, arn)
    return _get_batch_key(load.input) if load.error == "Parked" else ""


def _get_batch_key(load_input: Any) -> str:
    """The key of the batch that an execution loads; empty when somebody started it with another input."""
    try:
        return str(load_input["detail"]["object"]["key"])
    except (KeyError, TypeError):
        return ""


@dataclass(frozen=True)
class QuarantinedBatch:
    """A batch that cannot be read. `size` is in bytes, `since` is the time in UTC at which it was quarantined."""

    key: str
    size: int
    since: str


def get_batch_bucket(stack: Stack) -> str:
    return stack.output("BatchBucketName")


def list_quarantined_batches(stack: Stack) -> list[QuarantinedBatch]:
    """All quarantined batches, sorted by key."""
    return [
        QuarantinedBatch(
            entry["Key"].removeprefix(QUARANTINE_PREFIX), entry["Size"], format_time(entry["LastModified"])
        )
        for entry in list_objects(stack, f"{QUARANTINE_PREFIX}{BATCH_PREFIX}")
    ]


def list_objects(stack: Stack, prefix: str, after: str = "") -> Iterator[dict[str, Any]]:
    """The objects of the batch bucket that have a prefix, and keys after `after`, as S3 lists them."""
    paginator = stack.client("s3").get_paginator("list_objects_v2")
    start = {"StartAfter": after} if after else {}
    for page in paginator.paginate(Bucket=get_batch_bucket(stack), Prefix=prefix, **start):
        yield from page.get("Contents", [])


def read_batch_head(stack: Stack, key: str) -> dict[str, Any] | None:
    """What S3 says about a batch, without its content; None when the batch does not exist."""
    try:
        return dict(stack.client("s3").head_object(Bucket=get_batch_bucket(stack), Key=key))
    except ClientError as error:
        if error.response["Error"]["Code"] in {"404", "NoSuchKey"}:
            return None
        raise


def build_batch_event(stack: Stack, key: str) -> dict[str, Any] | None:
    """The input of load_batch for a batch, or None when the batch does not exist any more."""
    head = read_batch_head(stack, key)
    if head is None:
        return None
    return {
        "detail": {
            "bucket": {"name": get_batch_bucket(stack)},
            "object": {"key": key, "etag": head["ETag"].strip('"'), "size": head["ContentLength"]},
        }
    }


def remove_from_quarantine(stack: Stack, key: str) -> None:
    """Delete the quarantine copy of a batch: loads and replays take the batch again."""
    stack.client("s3").delete_object(Bucket=get_batch_bucket(stack), Key=f"{QUARANTINE_PREFIX}{key}")


def delete_batch(stack: Stack, key: str) -> None:
    """Delete a batch and its quarantine copy. The bucket keeps both as noncurrent versions for its retention."""
    # The copy last: while it exists, the batch is listed and no replay loads it.
    stack.client("s3").delete_object(Bucket=get_batch_bucket(stack), Key=key)
    remove_from_quarantine(stack, key)
