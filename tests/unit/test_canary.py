"""The canary against a real HTTP server: what it counts as a failure, how long it waits, and how it signs in."""

import base64
import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from sluice.canary.caller import ClientCredentials, ServiceCaller
from sluice.canary.run import ITEM_PATH, POLLS, Canary, CanaryRun
from sluice.errors import AccessTokenRefused
from sluice.model.versions import new_version
from testkit.loopback_server import serve_on_loopback

LIMIT_SECONDS = 130.0


class StubService:
    """The service and its token endpoint. A write becomes readable when `apply` is called."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.tokens = itertools.count(1)
        self.status: dict[str, int] = {"PUT": 202, "GET": 200, "POST": 200}
        self.written: list[str] = []
        self.readable = ""
        self.url = ""

    def apply(self) -> None:
        self.readable = self.written[-1] if self.written else ""

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
        self.requests.append((method, path, headers, body))
        status = self.status[method]
        if method == "POST":
            return status, {"access_token": f"token-{next(self.tokens)}", "expires_in": 86400}
        if method == "PUT" and status == 202:
            self.written.append(new_version())
            return status, {"id": "canary", "version": self.written[-1], "status": "pending"}
        if method == "GET" and status == 200:
            return (200, {"id": "canary", "version": self.readable}) if self.readable else (404, {"title": "Not Found"})
        # Only the status says what it is.
        return status, {"title": "a problem", "version": new_version()}

    def count(self, method: str) -> int:
        return sum(request[0] == method for request in self.requests)


def serve(stub: StubService) -> AbstractContextManager[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, document = stub.answer(self.command, self.path, dict(self.headers), body)
            content = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("x-amzn-RequestId", f"request-{len(stub.requests)}")
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = _answer  # noqa: N815  names of the base class

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
            """A test's output is the test's own."""

    return serve_on_loopback(Handler)


@pytest.fixture
def service() -> Iterator[StubService]:
    stub = StubService()
    with serve(stub) as url:
        stub.url = url
        yield stub


def create_caller(service: StubService, client_key: str = "") -> ServiceCaller:
    return ServiceCaller(
        service.url, f"{service.url}/oauth2/token", ClientCredentials("the-id", "the-secret"), client_key
    )


class Clock:
    """A clock that only sleeping moves. `during` is called at each sleep with the time after it."""

    def __init__(self, during: Callable[[float], object] = lambda _: None) -> None:
        self.now = 0.0
        self._during = during

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self._during(self.now)


def run_canary(service: StubService, clock: Clock, limit: float = LIMIT_SECONDS) -> tuple[CanaryRun, CanaryRun]:
    canary = Canary(create_caller(service), limit, clock, clock.sleep)
    written, version = canary.write("run-1")
    return written, canary.read(version)


def test_a_write_that_becomes_readable_is_measured_to_a_twentieth_of_the_limit(service: StubService) -> None:
    written, read = run_canary(service, Clock(lambda now: service.apply() if now >= 60 else None))
    assert (written.writes, written.writes_failed) == (1, 0)
    assert (read.waits, read.waits_failed, read.reads_failed) == (1, 0, 0)
    assert read.readable_seconds is not None
    assert 60 <= read.readable_seconds <= 60 + LIMIT_SECONDS / POLLS
    assert read.reads == service.count("GET") <= POLLS


def test_the_item_is_written_as_an_ordinary_caller_does(service: StubService) -> None:
    run_canary(service, Clock(lambda _: service.apply()))
    token, put, *gets = service.requests
    assert token[1:2] == ("/oauth2/token",)
    assert token[2]["Authorization"] == "Basic " + base64.b64encode(b"the-id:the-secret").decode()
    assert put[:2] == ("PUT", ITEM_PATH)
    assert put[2]["Authorization"] == "Bearer token-1"
    assert put[2]["User-Agent"]
    assert json.loads(put[3]) == {"name": "canary", "run": "run-1"}
    assert {get[1] for get in gets} == {ITEM_PATH}
    # A trace of each read would cost more than the read.
    assert all(get[2]["X-Amzn-Trace-Id"].endswith(";Sampled=0") for get in gets)
    assert "X-Amzn-Trace-Id" not in put[2]


def test_a_client_key_is_sent_where_there_is_one(service: StubService) -> None:
    create_caller(service, "the-key").call("GET", ITEM_PATH)
    create_caller(service).call("GET", ITEM_PATH)
    _, keyed, _, plain = service.requests
    assert keyed[2]["x-api-key"] == "the-key"
    assert "x-api-key" not in plain[2]


def test_one_token_serves_many_requests_and_is_replaced_before_it_expires(
    service: StubService, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr("sluice.canary.caller.time.monotonic", clock)
    clock.now = 1000.0
    caller = create_caller(service)
    caller.call("GET", ITEM_PATH)
    caller.call("GET", ITEM_PATH)
    assert service.count("POST") == 1
    clock.now += 86400 - 900  # a run takes up to 900 seconds
    caller.call("GET", ITEM_PATH)
    assert service.count("POST") == 2


def test_no_token_is_no_failure_of_the_service(service: StubService) -> None:
    service.status["POST"] = 400
    with pytest.raises(AccessTokenRefused, match="400"):
        Canary(create_caller(service), LIMIT_SECONDS).write("run-1")
    assert service.count("PUT") == 0


@pytest.mark.parametrize("status", [400, 403, 413, 429, 500, 503, 200])
def test_a_write_fails_unless_it_is_accepted(service: StubService, status: int) -> None:
    service.status["PUT"] = status
    written, read = run_canary(service, Clock())
    assert (written.writes, written.writes_failed) == (1, 1)
    assert written.faults == [f"PUT {status} request-2"]
    # The reads are still measured, and there is nothing to wait for.
    assert (read.reads, read.reads_failed, read.waits, read.readable_seconds) == (1, 0, 0, None)


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_a_read_fails_that_is_not_answered(service: StubService, status: int) -> None:
    service.status["GET"] = status
    written, read = run_canary(service, Clock())
    assert written.writes_failed == 0
    assert read.reads == read.reads_failed == POLLS + 1
    assert (read.waits, read.waits_failed) == (1, 1)
    assert read.readable_seconds == pytest.approx(LIMIT_SECONDS)
    assert read.faults[0].startswith(f"GET {status} request-")


def test_during_an_outage_of_the_primary_only_the_wait_fails(service: StubService) -> None:
    run_canary(service, Clock(lambda _: service.apply()))
    written, read = run_canary(service, Clock())
    assert (written.writes_failed, read.reads_failed) == (0, 0)
    assert (read.waits, read.waits_failed) == (1, 1)
    assert read.readable_seconds is not None
    assert read.readable_seconds >= LIMIT_SECONDS


def test_the_time_until_readable_grows_with_the_age_of_the_state(
    service: StubService, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_canary(service, Clock(lambda _: service.apply()))
    monkeypatch.setattr("sluice.canary.run.version_age_seconds", lambda version: 3600.0 if version else 0.0)
    _, read = run_canary(service, Clock())
    assert read.readable_seconds == pytest.approx(3600.0)


def test_the_read_after_the_outage_shows_a_later_write_and_ends_the_wait(service: StubService) -> None:
    canary = Canary(create_caller(service), LIMIT_SECONDS)
    _, version = canary.write("run-1")
    canary.write("run-2")
    service.apply()
    read = canary.read(version)
    assert (read.reads, read.waits_failed) == (1, 0)


def test_an_item_that_was_never_loaded_is_an_answered_read(service: StubService) -> None:
    _, read = run_canary(service, Clock())
    assert (read.reads_failed, read.waits_failed) == (0, 1)


def test_a_limit_that_no_function_can_wait_for_is_not_measured(service: StubService) -> None:
    written, read = run_canary(service, Clock(), limit=900.0)
    assert (written.writes, read.reads, read.waits, read.readable_seconds) == (1, 1, 0, None)


def test_a_service_that_cannot_be_reached_fails_both(service: StubService) -> None:
    caller = create_caller(service)
    caller.call("GET", ITEM_PATH)  # it has a token
    unreachable = StubService()
    with serve(unreachable) as url:
        caller._service_url = url
    written, version = Canary(caller, LIMIT_SECONDS).write("run-1")
    assert (written.writes_failed, version) == (1, "")
    assert written.faults == ["PUT ConnectionRefusedError"]


def test_a_page_that_is_not_the_service_is_no_answer(service: StubService) -> None:
    service.readable = "<html>"
    _, read = run_canary(service, Clock(), limit=5)
    assert read.reads_failed == read.reads
