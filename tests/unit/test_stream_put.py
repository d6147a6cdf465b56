"""One write: Firehose took it, or the client is told to try again."""

import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from sluice.errors import AwsConnectionError, StreamUnavailable
from sluice.ingest import firehose as tries
from sluice.ingest import firehose as writes
from tests.unit.loopback import Answered, Loopback, error
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
    assert len(stream.asked) == times


@pytest.mark.parametrize(("method", "path"), REQUESTS)
def test_every_kind_of_write_is_refused(stream: Loopback, lines: Lines, method: str, path: str) -> None:
    stream.otherwise = error("AccessDeniedException")
    assert_refused("AccessDeniedException", lines, method, path)


@pytest.mark.parametrize("first", [error("ServiceUnavailableException", 503), error("ThrottlingException")])
def test_what_a_retry_brings_through_is_accepted(
    stream: Loopback, first: Callable[..., Answered], pauses: list[float]
) -> None:
    stream.answers.extend([first, first])
    answer = ask(event("POST", "bookings", BOOKING))
    assert (answer.status, len(stream.asked)) == (202, 3)
    assert len({tuple(asked.records) for asked in stream.asked}) == 1
    assert json.loads(stream.asked[-1].records[0])["version"] == answer.body["version"]
    assert all(0 <= pause <= 3 for pause in pauses)


def test_the_record_is_put_as_it_is(stream: Loopback) -> None:
    writes.put_record("somewhere", b'{"a":1}\n')
    assert (stream.asked[0].body["DeliveryStreamName"], stream.asked[0].records) == ("somewhere", [b'{"a":1}\n'])


def test_a_connection_that_is_cut_is_a_503(stream: Loopback, lines: Lines) -> None:
    stream.otherwise = lambda _: Answered(0, {})
    assert_refused("ConnectionClosedError", lines)
    assert len(stream.asked) == tries.MAX_ATTEMPTS


@pytest.fixture
def another_client(monkeypatch: pytest.MonkeyPatch, aws: Loopback) -> Iterator[Callable[[str], None]]:
    """Make the functions use a client of another endpoint, that waits a tenth of the time; undone after the test."""
    client = writes._client()

    def use(url: str) -> None:
        for name, value in {"AWS_ENDPOINT_URL": url, "AWS_DEFAULT_REGION": "eu-west-1"}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        monkeypatch.setattr(
            writes,
            "FIREHOSE_SERVICE",
            replace(writes.FIREHOSE_SERVICE, read_seconds=writes.FIREHOSE_SERVICE.read_seconds / 10),
        )
        made = writes._client.__wrapped__()
        monkeypatch.setattr(writes, "_client", lambda: made)

    yield use
    monkeypatch.undo()
    assert writes._client() is client


def test_a_stream_that_does_not_answer_is_a_503(
    aws: Loopback, stream: Loopback, lines: Lines, another_client: Callable[[str], None]
) -> None:
    another_client(aws.url)
    stream.otherwise = lambda _: Answered(-1, {})
    assert_refused("ReadTimeoutError", lines)
    assert len(stream.asked) == tries.MAX_ATTEMPTS


def test_a_refused_connection_is_a_503(lines: Lines, another_client: Callable[[str], None]) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, but nobody listens
        another_client(f"http://127.0.0.1:{nobody.getsockname()[1]}")
        assert_refused("EndpointConnectionError", lines)


class Clock:
    """A clock that only moves when somebody waits for the stream."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr("time.monotonic", lambda: self.now)
        monkeypatch.setattr("time.sleep", self.wait)

    def wait(self, seconds: float) -> None:
        self.now += seconds


def test_the_slowest_refusal_comes_before_the_function_ends(monkeypatch: pytest.MonkeyPatch, aws: Loopback) -> None:
    assert writes.FIREHOSE_SERVICE.max_attempts == 1, "nobody else tries again"
    slowest = writes.FIREHOSE_SERVICE.connect_seconds + writes.FIREHOSE_SERVICE.read_seconds
    clock = Clock(monkeypatch)

    class Hanging:
        asked = 0

        def call(self, _operation: str, _parameters: object) -> None:
            self.asked += 1
            clock.wait(slowest)
            raise AwsConnectionError("ReadTimeoutError")

    hanging = Hanging()
    monkeypatch.setattr(writes, "_client", lambda: hanging)
    with pytest.raises(StreamUnavailable, match="ReadTimeoutError"):
        writes.put_record("writes", b"{}")
    assert (hanging.asked, clock.now < 20) == (tries.MAX_ATTEMPTS, True)  # the function's timeout, in seconds
    clock.now, hanging.asked = 0.0, 0
    records = [bytes(1024 * 1024)] * 40  # ten requests
    assert writes.put_records("writes", records).keys() == set(range(40))
    assert clock.now <= tries.PUT_TIMEOUT_SECONDS < 20
    assert hanging.asked == 5


def test_the_stream_itself_says_the_code(stream: Loopback) -> None:
    stream.otherwise = error("InvalidKMSResourceException")
    with pytest.raises(StreamUnavailable) as away:
        writes.put_record("writes", b"{}\n")
    assert away.value.code == "InvalidKMSResourceException"
