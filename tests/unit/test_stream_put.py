"""One write: Firehose took it, or the client is told to try again."""

import json
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from sluice.aws.client import create_client
from sluice.errors import AwsConnectionError, StreamUnavailable
from sluice.ingest import firehose
from sluice.ingest.firehose import FIREHOSE_SERVICE, FirehoseStream
from tests.unit.loopback import Loopback, StubResponse, error
from tests.unit.requesting import BOOKING, BOOKING_ID, ask, event

Lines = Callable[[], list[dict[str, Any]]]

# The error code, its status, and how often it is worth asking.
ERRORS = [
    ("ServiceUnavailableException", 503, 4),
    ("InternalFailure", 500, 4),
    ("ThrottlingException", 400, 4),
    ("LimitExceededException", 400, 4),
    ("AccessDeniedException", 400, 1),
    ("InvalidKMSResourceException", 400, 1),
    ("ResourceNotFoundException", 400, 1),
    ("ExpiredTokenException", 403, 1),
]
REQUESTS = [("POST", "bookings"), ("PUT", f"bookings/{BOOKING_ID}"), ("DELETE", f"bookings/{BOOKING_ID}")]


def assert_refused(code: str, lines: Lines, method: str = "POST", path: str = "bookings") -> None:
    answer = ask(event(method, path, BOOKING))
    assert answer.status == 503
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.headers["Cache-Control"] == "no-store"
    assert "version" not in answer.body
    (line,) = lines()
    assert (line["stream_error"], line["status"], line["collection"]) == (code, 503, "bookings")
    assert len(line["version"]) == 26


@pytest.mark.parametrize(("code", "status", "times"), ERRORS, ids=[code for code, _, _ in ERRORS])
def test_an_error_of_the_stream_is_a_503(stream: Loopback, lines: Lines, code: str, status: int, times: int) -> None:
    stream.otherwise = error(code, status)
    assert_refused(code, lines)
    assert len(stream.requests) == times


@pytest.mark.parametrize(("method", "path"), REQUESTS)
def test_every_kind_of_write_is_refused(stream: Loopback, lines: Lines, method: str, path: str) -> None:
    stream.otherwise = error("AccessDeniedException")
    assert_refused("AccessDeniedException", lines, method, path)


@pytest.mark.parametrize("first", [error("ServiceUnavailableException", 503), error("ThrottlingException")])
def test_what_a_retry_brings_through_is_accepted(
    stream: Loopback, first: Callable[..., StubResponse], pauses: list[float]
) -> None:
    stream.answers.extend([first, first])
    answer = ask(event("POST", "bookings", BOOKING))
    assert (answer.status, len(stream.requests)) == (202, 3)
    assert len({tuple(request.records) for request in stream.requests}) == 1
    assert json.loads(stream.requests[-1].records[0])["version"] == answer.body["version"]
    assert all(0 <= pause <= 3 for pause in pauses)


def test_the_record_is_put_as_it_is(stream: Loopback, writes: FirehoseStream) -> None:
    FirehoseStream("somewhere", writes.client).put_record(b'{"a":1}\n')
    assert (stream.requests[0].body["DeliveryStreamName"], stream.requests[0].records) == ("somewhere", [b'{"a":1}\n'])


def test_a_connection_that_is_cut_is_a_503(stream: Loopback, lines: Lines) -> None:
    stream.otherwise = lambda _: StubResponse(0, {})
    assert_refused("ConnectionClosedError", lines)
    assert len(stream.requests) == firehose.MAX_ATTEMPTS


@pytest.fixture
def use_endpoint(monkeypatch: pytest.MonkeyPatch, writes: FirehoseStream) -> Callable[[str], None]:
    """Give the POST function a client of another endpoint, with a tenth of the read timeout, during the test."""

    def use(url: str) -> None:
        for name, value in {"AWS_ENDPOINT_URL": url, "AWS_DEFAULT_REGION": "eu-west-1"}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        impatient = replace(FIREHOSE_SERVICE, read_seconds=FIREHOSE_SERVICE.read_seconds / 10)
        monkeypatch.setattr(writes, "client", create_client(impatient))

    return use


def test_a_stream_that_does_not_answer_is_a_503(
    aws: Loopback, stream: Loopback, lines: Lines, use_endpoint: Callable[[str], None]
) -> None:
    use_endpoint(aws.url)
    stream.otherwise = lambda _: StubResponse(-1, {})
    assert_refused("ReadTimeoutError", lines)
    assert len(stream.requests) == firehose.MAX_ATTEMPTS


def test_a_refused_connection_is_a_503(lines: Lines, use_endpoint: Callable[[str], None]) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, but nobody listens
        use_endpoint(f"http://127.0.0.1:{nobody.getsockname()[1]}")
        assert_refused("EndpointConnectionError", lines)


class Clock:
    """A clock that only moves when somebody waits for the stream."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr("time.monotonic", lambda: self.now)
        monkeypatch.setattr("time.sleep", self.wait)

    def wait(self, seconds: float) -> None:
        self.now += seconds


def test_the_slowest_refusal_comes_before_the_function_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    assert FIREHOSE_SERVICE.max_attempts == 1, "the client itself does not retry"
    slowest = FIREHOSE_SERVICE.connect_seconds + FIREHOSE_SERVICE.read_seconds
    clock = Clock(monkeypatch)

    class Hanging:
        request_count = 0

        def call(self, _operation: str, _parameters: dict[str, Any]) -> dict[str, Any]:
            self.request_count += 1
            clock.wait(slowest)
            raise AwsConnectionError("ReadTimeoutError")

    hanging = Hanging()
    writes = FirehoseStream("writes", hanging)
    with pytest.raises(StreamUnavailable, match="ReadTimeoutError"):
        writes.put_record(b"{}")
    assert (hanging.request_count, clock.now < 20) == (
        firehose.MAX_ATTEMPTS,
        True,
    )  # the function's timeout, in seconds
    clock.now, hanging.request_count = 0.0, 0
    records = [bytes(1024 * 1024)] * 40  # ten requests
    assert writes.put_records(records).keys() == set(range(40))
    assert clock.now <= firehose.PUT_TIMEOUT_SECONDS < 20
    assert hanging.request_count == 5


def test_the_stream_itself_says_the_code(stream: Loopback, writes: FirehoseStream) -> None:
    stream.otherwise = error("InvalidKMSResourceException")
    with pytest.raises(StreamUnavailable) as raised:
        writes.put_record(b"{}\n")
    assert raised.value.code == "InvalidKMSResourceException"
