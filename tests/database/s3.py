"""S3 as the local stack emulates it, for what reads both S3 and the database."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sluice import executions
from sluice.aws import s3 as archive
from tests.emulator.harness import Emulator, start_emulator


@contextmanager
def buckets(state: Path) -> Iterator[Emulator]:
    """An emulator that the project's own clients are led to, with the buckets `batches` and `archive`."""
    emulator = start_emulator(state)
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_ENDPOINT_URL", emulator.url)
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        for part in (archive, executions):
            part._client.cache_clear()
        try:
            s3: Any = emulator.client("s3")
            for bucket in ("batches", "archive"):
                s3.create_bucket(Bucket=bucket)
            yield emulator
        finally:
            for part in (archive, executions):
                part._client.cache_clear()
            emulator.stop()
