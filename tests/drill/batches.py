"""List the batches in S3, independently of the code of a replay."""

import gzip
import json
from typing import Any

from tests.stack.recovery_harness import RecoveryHarness
from tests.stack.waiting import eventually


def list_keys(recovery: RecoveryHarness) -> set[str]:
    """List the keys of all batches in S3."""
    pages = recovery.s3.get_paginator("list_objects_v2").paginate(Bucket=recovery.bucket, Prefix="batches/")
    return {entry["Key"] for page in pages for entry in page.get("Contents", [])}


def wait_for_delivery(recovery: RecoveryHarness, before: set[str], writes: int) -> set[str]:
    """Wait until the batches that are not in `before` contain `writes` writes in total, and return their keys."""
    sizes: dict[str, int] = {}

    def is_complete() -> bool:
        for key in list_keys(recovery) - before - set(sizes):
            content = recovery.s3.get_object(Bucket=recovery.bucket, Key=key)["Body"].read()
            sizes[key] = gzip.decompress(content).count(b"\n")
        return sum(sizes.values()) == writes

    eventually(is_complete)
    return set(sizes)


def read_planned_keys(recovery: RecoveryHarness, output: dict[str, Any]) -> set[str]:
    """Read the batch keys in the manifests of the replay that has this output."""
    folder = output["report"]["key"].rsplit("/", 1)[0]
    manifests = recovery.s3.list_objects_v2(Bucket=recovery.bucket, Prefix=f"{folder}/manifest-").get("Contents", [])
    texts = [
        recovery.s3.get_object(Bucket=recovery.bucket, Key=manifest["Key"])["Body"].read() for manifest in manifests
    ]
    return {json.loads(line)["key"] for text in texts for line in text.splitlines()}
