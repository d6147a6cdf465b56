"""Batches that were set aside because they cannot be read."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from ops.moments import written
from ops.stack import Stack

PREFIX = "quarantine/"


@dataclass(frozen=True)
class Quarantined:
    """A batch by its key; `size` in bytes, `since` in UTC."""

    key: str
    size: int
    since: str


def bucket(stack: Stack) -> str:
    return stack.output("BatchBucketName")


def quarantined(stack: Stack) -> list[Quarantined]:
    """All of them, by key."""
    return [
        Quarantined(one["Key"].removeprefix(PREFIX), one["Size"], written(one["LastModified"]))
        for one in objects(stack, f"{PREFIX}batches/")
    ]


def objects(stack: Stack, prefix: str) -> Iterator[dict[str, Any]]:
    """The objects of the batch bucket under a prefix, as S3 lists them."""
    for page in stack.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket(stack), Prefix=prefix):
        yield from page.get("Contents", [])


def batch_event(stack: Stack, key: str) -> dict[str, Any] | None:
    """What load_batch is started with for a batch, or None when the batch is gone."""
    try:
        found = stack.client("s3").head_object(Bucket=bucket(stack), Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] in {"404", "NoSuchKey"}:
            return None
        raise
    return {
        "detail": {
            "bucket": {"name": bucket(stack)},
            "object": {"key": key, "etag": found["ETag"].strip('"'), "size": found["ContentLength"]},
        }
    }


def release(stack: Stack, key: str) -> None:
    """Take a batch out of quarantine, so that it is one like any other again."""
    stack.client("s3").delete_object(Bucket=bucket(stack), Key=f"{PREFIX}{key}")


def remove(stack: Stack, key: str) -> None:
    """Delete a batch and its copy. The bucket keeps what was there as an earlier version, for its retention."""
    # The copy last: while it is there, the batch is listed and no replay takes it.
    stack.client("s3").delete_object(Bucket=bucket(stack), Key=key)
    release(stack, key)
