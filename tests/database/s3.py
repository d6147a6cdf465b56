"""The emulated S3, for code that reads both S3 and the database."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sluice.aws.s3 import Bucket, S3Client
from testkit.emulator_harness import Emulator, start_emulator


def bucket(name: str = "batches") -> Bucket:
    """A bucket of the running emulator, with its own client."""
    return S3Client().bucket(name)


@contextmanager
def buckets(state: Path) -> Iterator[Emulator]:
    """An emulator that the project's own clients use, with the buckets `batches` and `archive`."""
    emulator = start_emulator(state)
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_ENDPOINT_URL", emulator.url)
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        try:
            s3: Any = emulator.client("s3")
            for name in ("batches", "archive"):
                s3.create_bucket(Bucket=name)
            yield emulator
        finally:
            emulator.stop()
