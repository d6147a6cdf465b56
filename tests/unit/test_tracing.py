"""What reaches X-Ray's daemon of an invocation."""

import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sluice.aws import tracing
from sluice.ingest.firehose import MAX_ATTEMPTS
from tests.unit.loopback import Loopback, StubResponse, error
from tests.unit.requesting import BOOKING, Context, ask, event

ROOT, PARENT = "1-6b0323d0-3f8a1c9e2b7d4a5f6c8e9d01", "53995c3f42cd8ad8"
Sent = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def sent(aws: Loopback, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sent]:
    """Be in a sampled trace of Lambda's, and read what the daemon was sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.bind(("127.0.0.1", 0))
        daemon.setblocking(False)
        monkeypatch.delenv("POWERTOOLS_TRACE_DISABLED", raising=False)
        monkeypatch.setenv("LAMBDA_TASK_ROOT", "/var/task")
        monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", f"127.0.0.1:{daemon.getsockname()[1]}")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "key")
        monkeypatch.setenv("_X_AMZN_TRACE_ID", f"Root={ROOT};Parent={PARENT};Sampled=1;Lineage=a:0")

        def read() -> list[dict[str, Any]]:
            segments: list[dict[str, Any]] = []
            while True:
                try:
                    header, document = daemon.recv(65536).split(b"\n", 1)
                except BlockingIOError:
                    return segments
                assert json.loads(header) == {"format": "json", "version": 1}
                segments.append(json.loads(document))

        yield read


def test_a_write_is_two_subsegments(stream: Loopback, sent: Sent) -> None:
    request = event("POST", "bookings", BOOKING)
    request["requestContext"]["requestId"] = "6f0a7f4e"
    assert ask(request).status == 202
    put, work = sent()
    assert (work["name"], work["trace_id"], work["parent_id"], work["type"]) == ("## post", ROOT, PARENT, "subsegment")
    assert (put["name"], put["namespace"], put["trace_id"]) == ("firehose", "aws", ROOT)
    assert put["parent_id"] == work["id"] != put["id"]
    assert work["start_time"] <= put["start_time"] <= put["end_time"] <= work["end_time"]
    assert (put["aws"]["operation"], put["aws"]["region"]) == ("PutRecord", "eu-west-1")
    assert put["http"] == {"response": {"status": 200}}
    assert not put["fault"]
    assert not put["error"]
    assert "fault" not in work
    assert work["annotations"].keys() == {"ColdStart", "Service", "request_id"}
    assert work["annotations"]["request_id"] == "6f0a7f4e"
    assert "Ada" not in json.dumps([put, work])


def test_the_service_that_is_called_continues_the_trace(stream: Loopback, sent: Sent) -> None:
    ask(event("POST", "bookings", BOOKING))
    put, _ = sent()
    assert stream.requests[0].trace == f"Root={ROOT};Parent={put['id']};Sampled=1"


def nothing(_event: dict[str, Any], _context: object) -> None:
    """A handler's work."""


def test_only_the_first_invocation_is_a_cold_start(stream: Loopback, sent: Sent) -> None:
    from sluice.observability import instrument_handler  # noqa: PLC0415

    handle = instrument_handler(nothing)
    handle({}, Context())
    handle({}, Context())
    assert [segment["annotations"]["ColdStart"] for segment in sent()] == [True, False]


def test_a_refusal_of_the_stream_is_seen(stream: Loopback, sent: Sent) -> None:
    stream.otherwise = error("AccessDeniedException")
    ask(event("POST", "bookings", BOOKING))
    put, work = sent()
    assert (put["error"], put["fault"], put["http"]["response"]["status"]) == (True, False, 400)
    assert [exception["type"] for exception in put["cause"]["exceptions"]] == ["AwsError"]
    assert put["aws"]["retries"] == 0
    assert "fault" not in work  # the client was answered


def test_a_stream_that_cuts_connections_is_a_fault(stream: Loopback, sent: Sent) -> None:
    stream.otherwise = lambda _: StubResponse(0, {})
    ask(event("POST", "bookings", BOOKING))
    *puts, _ = sent()
    assert [put["fault"] for put in puts] == [True] * MAX_ATTEMPTS


def test_an_error_is_named_by_its_class_only(sent: Sent) -> None:
    with pytest.raises(ValueError, match="secret"), tracing.create_subsegment("work"):
        raise ValueError("secret")
    [work] = sent()
    assert work["fault"]
    assert "ValueError" in json.dumps(work)
    assert "secret" not in json.dumps(work)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("_X_AMZN_TRACE_ID", f"Root={ROOT};Parent={PARENT};Sampled=0"),
        ("_X_AMZN_TRACE_ID", ""),
        ("LAMBDA_TASK_ROOT", ""),
        ("AWS_SAM_LOCAL", "true"),
        ("POWERTOOLS_TRACE_DISABLED", "true"),
    ],
)
def test_outside_a_sampled_trace_nothing_is_sent(
    stream: Loopback, sent: Sent, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    assert ask(event("POST", "bookings", BOOKING)).status == 202
    assert sent() == []
    assert stream.requests[0].trace is None


@pytest.mark.parametrize("address", ["127.0.0.1:1", "tcp:127.0.0.1:9 udp:127.0.0.1:1"])
def test_a_daemon_that_is_away_harms_nobody(
    stream: Loopback, sent: Sent, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", address)
    assert tracing._read_daemon_address() == ("127.0.0.1", 1)
    assert ask(event("POST", "bookings", BOOKING)).status == 202


def test_what_cannot_be_sent_harms_nobody(sent: Sent) -> None:
    with tracing.create_subsegment("work") as segment:
        segment.annotate(much="x" * 70_000)  # more than a datagram takes
    with tracing.create_subsegment("later"):
        pass
    assert [segment["name"] for segment in sent()] == ["later"]


def test_what_an_invocation_left_open_is_no_parent(stream: Loopback, sent: Sent) -> None:
    tracing.create_subsegment("left").begin()  # as of an invocation that ran out of time
    ask(event("POST", "bookings", BOOKING))
    _, work = sent()
    assert work["parent_id"] == PARENT


def test_botocores_clients_are_traced_too(stream: Loopback, sent: Sent) -> None:
    from sluice.recovery.execution_lease import StatesClient  # noqa: PLC0415

    stream.otherwise = error("AccessDeniedException")
    with tracing.create_subsegment("work"), pytest.raises(Exception, match="AccessDenied"):
        StatesClient().botocore.describe_execution(executionArn="arn")
    call, work = sent()
    assert (call["name"], call["parent_id"]) == ("stepfunctions", work["id"])
    assert (call["aws"]["operation"], call["http"]["response"]["status"]) == ("DescribeExecution", 400)
    assert stream.requests[0].trace == f"Root={ROOT};Parent={call['id']};Sampled=1"


def test_a_client_of_botocore_that_gets_no_answer_is_a_fault(stream: Loopback, sent: Sent) -> None:
    from sluice.recovery.execution_lease import StatesClient  # noqa: PLC0415

    stream.otherwise = lambda _: StubResponse(0, {})
    with pytest.raises(Exception, match="closed"):
        StatesClient().botocore.describe_execution(executionArn="arn")
    [call] = sent()
    assert call["fault"]
