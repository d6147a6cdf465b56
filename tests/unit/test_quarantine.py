"""A batch that cannot be read is copied to the quarantine; the original stays."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.loopback import Loopback, ReceivedRequest, StubResponse
from tests.unit.requesting import Context

EVENT = {"bucket": "batches", "key": "batches/2026/11/23/10/w-1.jsonl.gz", "etag": "e", "reason": "UnreadableBatch"}


def quarantine() -> dict[str, str]:
    from sluice.handlers.quarantine import handle  # noqa: PLC0415

    return handle(dict(EVENT), Context())


def s3(status: int, body: str) -> Callable[[ReceivedRequest], StubResponse]:
    return lambda _: StubResponse(status, body)


def test_the_batch_is_copied_under_the_prefix(stream: Loopback, lines: Callable[[], list[dict[str, Any]]]) -> None:
    stream.otherwise = s3(200, "<CopyObjectResult></CopyObjectResult>")
    assert quarantine() == {"key": EVENT["key"], "copy": f"quarantine/{EVENT['key']}"}
    (request,) = stream.requests
    assert request.operation == f"PUT /batches/quarantine/{EVENT['key']}"
    assert request.body["x-amz-copy-source"] == f"batches/{EVENT['key']}"
    (line,) = lines()
    assert (line["message"], line["batch"], line["etag"]) == ("quarantine done", EVENT["key"], "e")


def test_a_copy_that_failed_is_an_error(stream: Loopback, lines: Callable[[], list[dict[str, Any]]]) -> None:
    stream.otherwise = s3(403, "<Error><Code>AccessDenied</Code></Error>")
    with pytest.raises(ClientError):
        quarantine()
    (line,) = lines()
    assert (line["message"], line["level"]) == ("quarantine failed", "ERROR")
    assert line["code"] == "AccessDenied"
    assert line["batch"] == EVENT["key"]
