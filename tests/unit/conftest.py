"""The functions as they run in Lambda, with a stream on loopback."""

import importlib
import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sluice.ingest.accept import WriteContext
from sluice.ingest.firehose import FirehoseStream
from testkit.lambda_environment import build_lambda_environment
from tests.unit.loopback import Loopback

ENVIRONMENT = build_lambda_environment(AWS_DEFAULT_REGION="eu-west-1", POWERTOOLS_TRACE_DISABLED="1")
HANDLERS = ("post", "put", "delete", "get", "fallback", "openapi", "status", "transform", "quarantine")


@pytest.fixture(scope="session")
def aws() -> Iterator[Loopback]:
    """The server that all clients of these functions call. The handlers are imported with its address."""
    with Loopback() as server:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": server.url}.items():
                patch.setenv(name, value)
            from sluice.aws import secrets  # noqa: PLC0415  after the environment is set, as in Lambda
            from sluice.aws.client import create_client  # noqa: PLC0415
            from sluice.aws.lambda_environment import BOTOCORE_ONLY_VARIABLES  # noqa: PLC0415

            for name in BOTOCORE_ONLY_VARIABLES:  # what this machine adds, and Lambda does not
                patch.delenv(name, raising=False)
            # Tests of another folder may have imported the handlers for another environment.
            for name in HANDLERS:
                sys.modules.pop(f"sluice.handlers.{name}", None)
                importlib.import_module(f"sluice.handlers.{name}")
            secrets_client = create_client(secrets.SECRETS_MANAGER_SERVICE)
            quarantine: Any = importlib.import_module("sluice.handlers.quarantine")
            assert quarantine._s3.botocore  # the client is created in this environment
            observability = importlib.import_module("sluice.observability")
            observability.metrics.namespace = "Sluice"
            observability.metrics.service = "sluice"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(secrets, "get_secrets_client", lambda: secrets_client)
            yield server


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
def write_context(stream: Loopback) -> WriteContext:
    """What the POST function created when it started."""
    context: WriteContext = importlib.import_module("sluice.handlers.post").context
    return context


@pytest.fixture
def writes(write_context: WriteContext) -> FirehoseStream:
    """The stream as the POST function has it."""
    return write_context.stream


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
