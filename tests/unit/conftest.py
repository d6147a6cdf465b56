"""The functions as they run in Lambda, with a stream on loopback."""

import importlib
import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from testkit.lambda_environment import build_lambda_environment
from tests.unit.loopback import Loopback

ENVIRONMENT = build_lambda_environment(AWS_DEFAULT_REGION="eu-west-1", POWERTOOLS_TRACE_DISABLED="1")
HANDLERS = ("post", "put", "delete", "get", "fallback", "openapi", "transform", "quarantine")


@pytest.fixture(scope="session")
def aws() -> Iterator[Loopback]:
    """The server that every client of these functions ends at; their handlers are imported with it."""
    with Loopback() as server:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": server.url}.items():
                patch.setenv(name, value)
            from sluice.aws import lambda_environment as surroundings  # noqa: PLC0415
            from sluice.aws import secrets as credentials  # noqa: PLC0415
            from sluice.aws.s3 import S3Client  # noqa: PLC0415
            from sluice.ingest import accept  # noqa: PLC0415
            from sluice.ingest import firehose as stream  # noqa: PLC0415

            for name in surroundings.BOTOCORE_ONLY_VARIABLES:  # what this machine adds, and Lambda does not
                patch.delenv(name, raising=False)
            # Another folder's tests may have made them already, for another environment.
            cached: tuple[Any, ...] = (
                stream._client,
                credentials.get_secrets_client,
                accept.settings,
            )
            for one in cached:
                one.cache_clear()
            for name in HANDLERS:
                importlib.import_module(f"sluice.handlers.{name}")
            for one in cached:
                one()
            quarantine: Any = importlib.import_module("sluice.handlers.quarantine")
            quarantine._s3 = S3Client()
            assert quarantine._s3.botocore  # it is created in this environment
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
