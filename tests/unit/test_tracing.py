"""What reaches X-Ray's daemon of an invocation."""

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any, Self

import pytest

from sluice.aws import tracing
from sluice.aws.secrets import Credentials
from sluice.db.connection import Database, open_connection
from sluice.errors import DatabaseUnavailable
from sluice.ingest.firehose import MAX_ATTEMPTS
from sluice.settings import CacheSettings, DatabaseSettings
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
        tracing._get_recorder.cache_clear()  # the recorder reads the daemon's address when it is made

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
        tracing._get_recorder.cache_clear()


def test_a_write_is_two_subsegments(stream: Loopback, sent: Sent) -> None:
    assert ask(event("POST", "bookings", BOOKING)).status == 202
    put, work = sent()
    assert (work["name"], work["trace_id"], work["parent_id"], work["type"]) == ("## post", ROOT, PARENT, "subsegment")
    assert (put["name"], put["namespace"], put["trace_id"]) == ("firehose", "aws", ROOT)
    assert put["parent_id"] == work["id"] != put["id"]
    assert work["start_time"] <= put["start_time"] <= put["end_time"] <= work["end_time"]
    assert (put["aws"]["operation"], put["aws"]["region"]) == ("PutRecord", "eu-west-1")
    assert put["http"] == {"response": {"status": 200}}
    assert not put.get("fault")
    assert not put.get("error")
    assert "fault" not in work
    assert work["annotations"].keys() == {"ColdStart", "Service"}
    assert "Ada" not in json.dumps([put, work])


def test_the_service_that_is_called_continues_the_trace(stream: Loopback, sent: Sent) -> None:
    ask(event("POST", "bookings", BOOKING))
    put, _ = sent()
    assert stream.requests[0].trace == f"Root={ROOT};Parent={put['id']};Sampled=1;Lineage=a:0"


def test_a_trace_can_be_searched_by_the_request_id_of_the_client(stream: Loopback, sent: Sent) -> None:
    posted = event("POST", "bookings", BOOKING)
    posted["requestContext"]["requestId"] = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"
    ask(posted)
    *_, work = sent()
    assert work["annotations"]["request_id"] == "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"


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


@pytest.mark.parametrize("address", ["127.0.0.1:1", "tcp:127.0.0.1:9 udp:127.0.0.1:1", "nowhere"])
def test_a_daemon_that_is_away_harms_nobody(
    stream: Loopback, sent: Sent, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", address)
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
    assert stream.requests[0].trace == f"Root={ROOT};Parent={call['id']};Sampled=1;Lineage=a:0"


def test_a_client_of_botocore_that_gets_no_answer_is_a_fault(stream: Loopback, sent: Sent) -> None:
    from sluice.recovery.execution_lease import StatesClient  # noqa: PLC0415

    stream.otherwise = lambda _: StubResponse(0, {})
    with pytest.raises(Exception, match="closed"):
        StatesClient().botocore.describe_execution(executionArn="arn")
    [call] = sent()
    assert call["fault"]


class StubConnection:
    """A connection of the driver, and its cursor, with one row."""

    def cursor(self, _kind: object) -> "StubConnection":
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """There is nothing to close."""

    def execute(self, _statement: str, _values: tuple[object, ...]) -> None:
        """Run nothing."""

    def fetchall(self) -> list[dict[str, str]]:
        return [{"secret_column": "secret value"}]


DATABASE = DatabaseSettings("127.0.0.1", 1, "sluice", "arn:reader")


def test_the_database_is_a_subsegment_without_statement_and_values(sent: Sent, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database(DATABASE, statement_timeout_seconds=1)
    monkeypatch.setattr(database, "_connection", StubConnection())
    with tracing.create_subsegment("work"):
        database.query("SELECT secret_column", ("secret value",))
    query, work = sent()
    assert (query["name"], query["namespace"], query["parent_id"]) == ("sluice@127.0.0.1", "remote", work["id"])
    assert query["sql"] == {"database_type": "MariaDB"}
    assert "secret" not in json.dumps(query)


def test_a_database_that_is_away_is_a_fault_without_its_message(sent: Sent) -> None:
    credentials = Credentials("reader", "secret")
    with pytest.raises(DatabaseUnavailable):
        open_connection(DATABASE, credentials, statement_timeout_seconds=1, tls_context=ssl.create_default_context())
    [connect] = sent()
    assert (connect["name"], connect["fault"]) == ("sluice@127.0.0.1", True)
    [exception] = connect["cause"]["exceptions"]
    assert exception.keys() == {"id", "type", "remote"}
    assert "secret" not in json.dumps(connect)


def test_the_cache_is_a_subsegment_without_keys(sent: Sent, monkeypatch: pytest.MonkeyPatch) -> None:
    from sluice.cache.valkey_client import ValkeyClient  # noqa: PLC0415

    client = ValkeyClient(CacheSettings("127.0.0.1", 1, "arn:cache", 600), timeout_seconds=0.1)
    monkeypatch.setattr(client, "_exchange_with_reconnect", lambda _packed, _count: [b"secret value"])
    client.send_commands(("GET", "secret key"))
    [exchange] = sent()
    assert (exchange["name"], exchange["namespace"]) == ("cache@127.0.0.1", "remote")
    assert "secret" not in json.dumps(exchange)


def test_a_thread_of_its_own_is_in_the_trace(sent: Sent) -> None:
    def work() -> None:
        with tracing.create_subsegment("read"):
            pass

    with tracing.create_subsegment("work"):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert {segment["name"]: segment["parent_id"] for segment in sent()} == {"read": PARENT, "work": PARENT}


def test_no_document_has_a_stack_or_a_message(sent: Sent) -> None:
    with pytest.raises(ValueError, match="secret"), tracing.create_subsegment("work"):
        raise ValueError("secret")
    [work] = sent()
    [exception] = work["cause"]["exceptions"]
    assert exception.keys() == {"id", "type", "remote"}
