"""Batches of a stack: pending, parked and quarantined."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from ops.aws import Stack
from ops.times import format_time, seconds_since
from ops.workflows import describe_execution, list_executions


def count_pending_batches(stack: Stack, request: dict[str, Any]) -> dict[str, Any]:
    """How many batches wait within a replay's request, and since when (`age_seconds`).

    The stack looks through all keys, step by step, so it may take minutes where there are millions. Raises
    FunctionFailed, with DatabaseUnavailable when the ledger cannot be read.
    """
    plan = stack.invoke("Plan", {"step": "begin", "name": "status", "request": request})
    while not plan["verified"]:
        plan = stack.invoke("Plan", {"step": "verify", "plan": plan})
    found = plan["remaining"]
    return {
        "batches": found["objects"],
        "bytes": found["bytes"],
        "oldest": found["oldest"],
        "age_seconds": round(seconds_since(found["oldest"])) if found["oldest"] else None,
        "sample": found["sample"],
    }


# Executions that are looked into, the latest.
MAX_INSPECTED_EXECUTIONS = 100


def count_parked_batches(stack: Stack, pending: dict[str, Any]) -> tuple[int, bool]:
    """How many of the batches that wait are parked, and whether that is exact: of very many only some are known."""
    if not pending["batches"]:
        return 0, True
    failed = list_executions(stack, "load_batch", "FAILED", MAX_INSPECTED_EXECUTIONS)
    found = [describe_execution(stack, one.arn) for one in failed]
    keys = {_get_batch_key(one.input) for one in found if one.error == "Parked"} - {""}
    if pending["batches"] == len(pending["sample"]):
        return len(keys & set(pending["sample"])), len(failed) < MAX_INSPECTED_EXECUTIONS
    return min(len(keys), pending["batches"]), False


def _get_batch_key(given: Any) -> str:
    """The batch that an execution was started for; empty where somebody started it with something else."""
    try:
        return str(given["detail"]["object"]["key"])
    except (KeyError, TypeError):
        return ""


QUARANTINE_PREFIX = "quarantine/"


@dataclass(frozen=True)
class QuarantinedBatch:
    """A batch by its key; `size` in bytes, `since` in UTC."""

    key: str
    size: int
    since: str


def get_batch_bucket(stack: Stack) -> str:
    return stack.output("BatchBucketName")


def list_quarantined_batches(stack: Stack) -> list[QuarantinedBatch]:
    """All of them, by key."""
    return [
        QuarantinedBatch(one["Key"].removeprefix(QUARANTINE_PREFIX), one["Size"], format_time(one["LastModified"]))
        for one in list_objects(stack, f"{QUARANTINE_PREFIX}batches/")
    ]


def list_objects(stack: Stack, prefix: str) -> Iterator[dict[str, Any]]:
    """The objects of the batch bucket under a prefix, as S3 lists them."""
    for page in (
        stack.client("s3").get_paginator("list_objects_v2").paginate(Bucket=get_batch_bucket(stack), Prefix=prefix)
    ):
        yield from page.get("Contents", [])


def build_batch_event(stack: Stack, key: str) -> dict[str, Any] | None:
    """What load_batch is started with for a batch, or None when the batch is gone."""
    try:
        found = stack.client("s3").head_object(Bucket=get_batch_bucket(stack), Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] in {"404", "NoSuchKey"}:
            return None
        raise
    return {
        "detail": {
            "bucket": {"name": get_batch_bucket(stack)},
            "object": {"key": key, "etag": found["ETag"].strip('"'), "size": found["ContentLength"]},
        }
    }


def remove_from_quarantine(stack: Stack, key: str) -> None:
    """Take a batch out of quarantine, so that it is one like any other again."""
    stack.client("s3").delete_object(Bucket=get_batch_bucket(stack), Key=f"{QUARANTINE_PREFIX}{key}")


def delete_batch(stack: Stack, key: str) -> None:
    """Delete a batch and its copy. The bucket keeps what was there as an earlier version, for its retention."""
    # The copy last: while it is there, the batch is listed and no replay takes it.
    stack.client("s3").delete_object(Bucket=get_batch_bucket(stack), Key=key)
    remove_from_quarantine(stack, key)
