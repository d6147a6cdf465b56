"""List the batches in S3, independently of the code of a replay."""

import gzip
import json
from typing import Any

from tests.stack.recovery_harness import RecoveryHarness
from tests.stack.waiting import eventually


def keys(back: RecoveryHarness) -> set[str]:
    """The keys of all batches in S3."""
    pages = back.s3.get_paginator("list_objects_v2").paginate(Bucket=back.bucket, Prefix="batches/")
    return {one["Key"] for page in pages for one in page.get("Contents", [])}


def all_delivered(back: RecoveryHarness, before: set[str], writes: int) -> set[str]:
    """The batches that are not in `before`, as soon as they have `writes` writes together."""
    sizes: dict[str, int] = {}

    def together() -> bool:
        for key in keys(back) - before - set(sizes):
            content = back.s3.get_object(Bucket=back.bucket, Key=key)["Body"].read()
            sizes[key] = gzip.decompress(content).count(b"\n")
        return sum(sizes.values()) == writes

    eventually(together)
    return set(sizes)


def planned(back: RecoveryHarness, output: dict[str, Any]) -> set[str]:
    """The keys in the manifests of a replay, given its output."""
    folder = output["report"]["key"].rsplit("/", 1)[0]
    found = back.s3.list_objects_v2(Bucket=back.bucket, Prefix=f"{folder}/manifest-").get("Contents", [])
    texts = [back.s3.get_object(Bucket=back.bucket, Key=one["Key"])["Body"].read() for one in found]
    return {json.loads(line)["key"] for text in texts for line in text.splitlines()}
