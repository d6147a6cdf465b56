"""The status of the service: what each state rests on, and how long it may be cached."""

import base64
import datetime
import importlib
import json
from collections.abc import Callable
from typing import Any, get_args

import msgspec
import pytest

from sluice.errors import StreamUnavailable
from sluice.http.problem import Problem
from sluice.http.request import Request
from sluice.openapi.status_operation import EXAMPLES, STATUS_SCHEMA
from sluice.recovery.heartbeat import ReadsState
from sluice.recovery.service_status import (
    STATUS_SECONDS,
    TRUST_SECONDS,
    ReadsStatus,
    ServiceStatus,
    State,
    StatusResponder,
    WritesStatus,
)
from tests.contract.documents import describe_mismatch
from tests.unit.loopback import Loopback, error
from tests.unit.requesting import Context, event

NOW = datetime.datetime(2026, 11, 29, 17, 0, 41, 500_000, tzinfo=datetime.UTC)
AVAILABLE = ReadsState(
    NOW - datetime.timedelta(seconds=38.1), is_available=True, as_of=NOW - datetime.timedelta(seconds=39.3)
)


class Service:
    """What a status asks, and a clock."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.stream_fault = ""
        self.heartbeat: ReadsState | Exception | None = AVAILABLE
        self.probes = 0
        self.responder = StatusResponder(self._probe, self._read, lambda: NOW, lambda: self.seconds)

    def _probe(self) -> None:
        self.probes += 1
        if self.stream_fault:
            raise StreamUnavailable(self.stream_fault)

    def _read(self) -> bytes | None:
        if isinstance(self.heartbeat, Exception):
            raise self.heartbeat
        return msgspec.json.encode(self.heartbeat) if self.heartbeat else None

    def ask(self, **query: str) -> tuple[dict[str, Any], str]:
        response = self.responder.respond(Request(query=query))
        assert response.status == 200
        body = json.loads(response.body)
        assert describe_mismatch(STATUS_SCHEMA, body) == ""
        return body, response.headers["Cache-Control"]

    def ask_again(self) -> dict[str, Any]:
        self.seconds += STATUS_SECONDS
        return self.ask()[0]


def test_a_status_names_both_states_and_rounds_to_the_safe_side() -> None:
    assert Service().ask()[0] == {
        "at": "2026-11-29T17:00:41Z",
        "writes": {"state": "available"},
        "reads": {
            "state": "available",
            "checked_at": "2026-11-29T17:00:03Z",
            "as_of": "2026-11-29T17:00:02Z",
            "seconds_behind": 2,
        },
    }


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        ("ServiceUnavailableException", "unavailable"),
        ("ConnectionClosedError", "unavailable"),
        ("ResourceNotFoundException", "unavailable"),
        ("AccessDeniedException", "unknown"),
    ],
)
def test_writes_are_as_the_stream_takes_a_record(fault: str, state: str) -> None:
    service = Service()
    service.stream_fault = fault
    status = service.ask()[0]
    assert (status["writes"], status["reads"]["state"]) == ({"state": state}, "available")
    service.stream_fault = ""
    assert service.ask_again()["writes"] == {"state": "available"}


def test_reads_are_unknown_without_a_recent_heartbeat() -> None:
    service = Service()
    old = NOW - datetime.timedelta(seconds=TRUST_SECONDS + 0.1)
    for heartbeat in (None, msgspec.structs.replace(AVAILABLE, checked_at=old), OSError("no S3"), ValueError()):
        service.heartbeat = heartbeat
        assert service.ask_again()["reads"] == {"state": "unknown"}
    recent = old + datetime.timedelta(seconds=0.1)
    service.heartbeat = ReadsState(recent, is_available=False)
    assert service.ask_again()["reads"] == {"state": "unavailable", "checked_at": "2026-11-29T16:58:11Z"}
    service.heartbeat = ReadsState(NOW, is_available=True)
    assert service.ask_again()["reads"] == {"state": "available", "checked_at": "2026-11-29T17:00:41Z"}


def test_a_clock_that_differs_never_makes_reads_newer_than_the_check() -> None:
    service = Service()
    service.heartbeat = ReadsState(NOW, is_available=True, as_of=NOW + datetime.timedelta(seconds=2))
    assert service.ask()[0]["reads"]["seconds_behind"] == 0


def test_no_cache_has_a_status_for_more_than_five_seconds() -> None:
    service = Service()
    first, cache_control = service.ask()
    assert cache_control == "public, max-age=5, stale-if-error=0"
    service.stream_fault = "ServiceUnavailableException"
    service.seconds = 3.2
    assert service.ask() == (first, "public, max-age=1, stale-if-error=0")
    assert service.probes == 1
    service.seconds = STATUS_SECONDS
    assert service.ask()[0]["writes"] == {"state": "unavailable"}
    assert service.probes == 2


def test_a_query_cannot_get_around_the_caches() -> None:
    service = Service()
    with pytest.raises(Problem) as raised:
        service.ask(now="1")
    assert (raised.value.status, service.probes) == (400, 0)


def test_the_contract_describes_the_fields_of_the_classes() -> None:
    properties = STATUS_SCHEMA["properties"]
    for described, model in (
        (STATUS_SCHEMA, ServiceStatus),
        (properties["writes"], WritesStatus),
        (properties["reads"], ReadsStatus),
    ):
        fields = msgspec.structs.fields(model)
        assert list(described["properties"]) == [field.encode_name for field in fields]
        assert described["required"] == [field.encode_name for field in fields if field.required]
    for described in (properties["writes"], properties["reads"]):
        assert described["properties"]["state"] == {"enum": list(get_args(State))}
    for example in EXAMPLES.values():
        assert describe_mismatch(STATUS_SCHEMA, example) == ""


def test_the_function_puts_a_probe_that_the_transform_drops(
    stream: Loopback, monkeypatch: pytest.MonkeyPatch, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    module: Any = importlib.import_module("sluice.handlers.status")
    monkeypatch.setattr(module.responder, "_read_heartbeat", lambda: None)
    monkeypatch.setattr(module.responder, "_expires_at", 0.0)
    answer = module.handle(event("GET", "status"), Context())
    assert (answer["statusCode"], json.loads(answer["body"])["writes"]) == (200, {"state": "available"})
    [request] = stream.requests
    record = request.body["Record"]["Data"]
    assert base64.b64decode(record) == b"\n"
    transform: Any = importlib.import_module("sluice.handlers.transform")
    sent = {"recordId": "1", "approximateArrivalTimestamp": 0, "data": record}
    [result] = transform.handle({"invocationId": "1", "records": [sent]}, Context())["records"]
    assert result["result"] == "Dropped"
    assert lines()[-1]["failed"] == 0


def test_a_stream_that_refuses_the_probe_is_asked_again_before_it_counts_as_unavailable(
    stream: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    module: Any = importlib.import_module("sluice.handlers.status")
    monkeypatch.setattr(module.responder, "_read_heartbeat", lambda: None)
    monkeypatch.setattr(module.responder, "_expires_at", 0.0)
    stream.otherwise = error("ServiceUnavailableException", 503)
    answer = module.handle(event("GET", "status"), Context())
    assert json.loads(answer["body"])["writes"] == {"state": "unavailable"}
    assert len(stream.requests) > 1
