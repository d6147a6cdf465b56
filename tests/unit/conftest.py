"""The functions as they run in Lambda, with a stream on loopback."""

import importlib
import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.unit.loopback import Loopback

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "POWERTOOLS_SERVICE_NAME": "sluice",
    "POWERTOOLS_METRICS_NAMESPACE": "Sluice",
    "POWERTOOLS_TRACE_DISABLED": "1",
    "STREAM_NAME": "writes",
    "SIGN_IN_URL": "https://sign-in.example.com",
    "CLIENT_KEYS": "none",
    "BUFFER_SECONDS": "60",
    "WAIT_SECONDS": "15",
    "STALE_SECONDS": "86400",
    "DATABASE_HOST": "127.0.0.1",
    "DATABASE_PORT": "9",
    "DATABASE_NAME": "sluice",
    "DATABASE_SECRET_ARN": "arn:reader",
    "BATCH_BUCKET": "batches",
    "ARCHIVE_BUCKET": "archive",
    "LOAD_CONCURRENCY": "4",
    "REPLICA_HOST": "127.0.0.1",
    "REPLICA_PORT": "9",
    "READER_SECRET_ARN": "arn:reader",
}
HANDLERS = ("post", "put", "delete", "get", "fallback", "contract", "transform", "quarantine")


@pytest.fixture(scope="session")
def aws() -> Iterator[Loopback]:
    """The server that every client of these functions ends at; their handlers are imported with it."""
    with Loopback() as server:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": server.url}.items():
                patch.setenv(name, value)
            from sluice import archive, credentials, stream  # noqa: PLC0415
            from sluice.aws import surroundings  # noqa: PLC0415
            from sluice.reading import answers  # noqa: PLC0415
            from sluice.writes import accept  # noqa: PLC0415

            for name in surroundings._OTHERWISE:  # what this machine adds, and Lambda does not
                patch.delenv(name, raising=False)
            # Another folder's tests may have made them already, for another environment.
            cached: tuple[Any, ...] = (
                stream._client,
                archive._client,
                credentials.secrets_manager,
                accept.settings,
                answers._replica,
            )
            for one in cached:
                one.cache_clear()
            for name in HANDLERS:
                importlib.import_module(f"sluice.handlers.{name}")
            for one in cached:
                one()
            observability = importlib.import_module("sluice.observability")
            observability.metrics.namespace = "Sluice"
            observability.metrics.service = "sluice"
        yield server
        for one in cached:
            one.cache_clear()


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses, in seconds, that somebody wanted to make in a test: none is made."""
    wanted: list[float] = []
    monkeypatch.setattr("time.sleep", wanted.append)
    return wanted


@pytest.fixture
def stream(aws: Loopback) -> Loopback:
    """The stream, that takes everything unless a test says otherwise."""
    aws.reset()
    return aws


@pytest.fixture
def lines(aws: Loopback) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Read the lines that were logged during a test."""
    from sluice.observability import logger  # noqa: PLC0415

    (handler,) = logger.handlers
    assert isinstance(handler, logging.StreamHandler)
    buffer = io.StringIO()
    before = handler.setStream(buffer)
    yield lambda: [json.loads(line) for line in buffer.getvalue().splitlines()]
    handler.setStream(before)
