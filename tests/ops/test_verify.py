"""`sluice verify`: where it writes, what it removes, what it reports. tests/stack/test_verify.py runs it on a stack."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ops.checks import CheckResult
from ops.commands.clients import list_clients
from ops.verify import alarms
from ops.verify import subject as subject_module
from ops.verify.catalogue import CHECKS
from ops.verify.check import CheckFailed
from ops.verify.contract import choose_collections, list_collections
from ops.verify.run import run_checks
from ops.verify.subject import Subject
from tests.ops.conftest import Sluice
from tests.ops.stub_service import ServiceSubject, StubService, StubStackOfService, start_stub_service
from tests.ops.stub_stack import STACK_NAME, StubStack

ETAG = '"01M8K6130CRC3F9D03MF01JH7Z"'
VERSION, DELETION = "01M8K6130CRC3F9D03MF01JH7Z", "01M8K6130CRC3F9D03MF01JH80"


def describe_collection(name: str, private: bool, key: str | None, *examples: dict[str, Any]) -> dict[str, Any]:
    content = {"application/json": {"examples": {f"e{n}": {"value": value} for n, value in enumerate(examples)}}}
    return {
        "tag": {"name": name, "x-private": private, "x-key": key},
        "path": {f"/v1/{name}": {"post": {"requestBody": {"content": content}}}},
    }


def describe_contract(*collections: dict[str, Any]) -> dict[str, Any]:
    return {
        "tags": [collection["tag"] for collection in collections],
        "paths": {path: methods for collection in collections for path, methods in collection["path"].items()},
        "components": {},
    }


NOTES = describe_collection("notes", True, None, {"text": "a"})
PLANES = describe_collection("planes", False, "tail", {"tail": "LN-AAA"}, {"tail": "LN-BBB"})


@pytest.fixture
def service() -> Iterator[StubService]:
    with start_stub_service(StubService()) as service:
        service.respond("GET /v1/openapi.json", 200, describe_contract(PLANES, NOTES))
        service.respond("POST /v1/notes", 202, {"id": "n1", "version": VERSION}, x_amzn_requestid="r1")
        service.respond("GET /v1/notes/n1", 200, {"id": "n1"}, etag=ETAG)
        service.respond("GET /v1/notes/n1 if-none-match", 304)
        service.respond(f"GET /v1/notes/n1/writes/{VERSION}", 200, {"status": "applied"})
        service.respond("DELETE /v1/notes/n1", 202, {"version": DELETION})
        yield service


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject_module, "DELIVERY_MARGIN_SECONDS", 0.2)
    monkeypatch.setattr(subject_module, "POLL_SECONDS", 0.05)


def create_subject(service: StubService, **options: Any) -> Subject:
    return ServiceSubject(StubStackOfService(service.url), **options)  # type: ignore[arg-type]


def run_round_trip(service: StubService, **options: Any) -> tuple[CheckResult, list[str]]:
    subject = create_subject(service, **options)
    [result] = run_checks(subject, [CHECKS["round-trip"]])
    return result, subject.clean_up()


def test_a_private_collection_with_ids_of_the_service_comes_first() -> None:
    shared = describe_collection("boards", False, None, {})
    own_key = describe_collection("cars", True, "plate", {"plate": "A"})
    document = describe_contract(PLANES, own_key, shared, NOTES)
    assert [entry.name for entry in list_collections(document)] == ["notes", "boards", "cars", "planes"]
    assert [entry.name for entry in choose_collections(document, "cars")] == ["cars"]


def test_a_collection_without_an_example_cannot_be_chosen() -> None:
    document = describe_contract(NOTES, describe_collection("empty", True, None))
    with pytest.raises(CheckFailed, match="There is no collection empty with an example"):
        choose_collections(document, "empty")


def test_a_contract_of_an_older_version_is_refused() -> None:
    document = copy.deepcopy(describe_contract(NOTES))
    del document["tags"][0]["x-key"]
    with pytest.raises(CheckFailed, match="older version"):
        choose_collections(document, None)


def test_the_own_item_is_deleted_once_and_nothing_remains(service: StubService) -> None:
    service.respond("GET /v1/notes/n1", 200, {}, etag=ETAG)
    subject = create_subject(service)
    write = subject.own_write()
    assert (write.path, write.version, write.request_id) == ("/v1/notes/n1", VERSION, "r1")
    assert subject.own_write() is write
    assert subject.clean_up() == []
    sent = [request for request, _ in service.requests if not request.startswith("GET")]
    assert sent == ["POST /v1/notes", "DELETE /v1/notes/n1"]


def test_an_item_that_cannot_be_deleted_is_reported(service: StubService) -> None:
    service.respond("DELETE /v1/notes/n1", 403, {"detail": "No."})
    subject = create_subject(service)
    subject.own_write()
    assert subject.clean_up() == ["DELETE /v1/notes/n1 answers 403 (No). Delete the item by hand."]


def test_an_item_that_somebody_has_is_never_written(service: StubService) -> None:
    service.respond("GET /v1/planes/LN-AAA", 200, {})
    service.respond("POST /v1/planes", 202, {"id": "LN-BBB", "version": VERSION})
    assert create_subject(service, collection="planes").own_write().id == "LN-BBB"
    assert ("POST /v1/planes", {"tail": "LN-BBB"}) in service.requests
    service.respond("GET /v1/planes/LN-BBB", 200, {})
    service.requests.clear()
    with pytest.raises(CheckFailed, match="planes: every example exists as an item"):
        create_subject(service, collection="planes").own_write()
    with pytest.raises(CheckFailed, match="every example exists"):
        create_subject(service, collection="planes", item={"tail": "LN-AAA"}).own_write()
    assert all(request.startswith("GET") for request, _ in service.requests)
    create_subject(service, collection="planes", item={"tail": "LN-CCC"}).own_write()
    assert ("POST /v1/planes", {"tail": "LN-CCC"}) in service.requests


def test_a_collection_that_refuses_the_machine_client_is_passed_over(service: StubService) -> None:
    service.respond("POST /v1/notes", 403, {"detail": "No."})
    service.respond("POST /v1/planes", 202, {"id": "LN-AAA", "version": VERSION})
    assert create_subject(service).own_write().collection.name == "planes"
    service.respond("POST /v1/planes", 403, {"detail": "Not an editor."})
    with pytest.raises(CheckFailed, match=r"notes: 403 \(No\); planes: 403 \(Not an editor\)"):
        create_subject(service).own_write()


@pytest.mark.parametrize(
    ("request_line", "status", "body", "headers", "sentence"),
    [
        ("GET /v1/notes/n1 if-none-match", 200, {}, {}, "A read with If-None-Match answers 200 instead of 304."),
        ("GET /v1/notes/n1 if-none-match", 304, None, {"via": "1.1 proxy"}, "is not CloudFront."),
        (f"GET /v1/notes/n1/writes/{VERSION}", 200, {"status": "pending"}, {}, "still says pending"),
        (
            f"GET /v1/notes/n1/writes/{VERSION}",
            200,
            {"status": "rejected", "reason": "too long"},
            {},
            "The write was rejected: too long.",
        ),
        ("GET /v1/notes/n1", 425, {"detail": "Not yet."}, {}, "answers 425 (Not yet) instead of 200"),
        ("GET /v1/openapi.json", 502, None, {}, "/v1/openapi.json answers 502."),
    ],
)
def test_a_round_trip_names_the_step_that_failed(
    service: StubService, request_line: str, status: int, body: Any, headers: dict[str, str], sentence: str
) -> None:
    service.respond(request_line, status, body, **headers)
    result, remains = run_round_trip(service)
    assert (result.state, remains) == ("failed", [])
    assert sentence in result.message
    assert result.hint


def test_an_item_that_is_still_there_after_its_deletion_fails(service: StubService) -> None:
    result, _ = run_round_trip(service)
    assert (result.state, "answers 200 instead of 404" in result.message) == ("failed", True)


def test_a_service_that_does_not_answer_is_one_sentence() -> None:
    with start_stub_service(StubService()) as service:
        subject = create_subject(service)
    [result] = run_checks(subject, [CHECKS["round-trip"]])
    assert (result.state, "does not answer" in result.message) == ("failed", True)


def test_mistakes_on_the_command_line_are_one_sentence(sluice: Sluice, stub_stack: StubStack, tmp_path: Path) -> None:
    assert "invalid choice: 'nope'" in sluice("verify", "--only", "nope").usage_error()
    file = tmp_path / "item.json"
    file.write_text("[]")
    assert "cannot be read as a JSON object" in sluice("verify", "--item", str(file)).usage_error()


def test_a_failed_check_is_a_line_and_the_exit_code(sluice: Sluice, stub_stack: StubStack) -> None:
    output = sluice("verify", "--only", "alarms")
    assert output.exit_code == 1
    assert output.stdout.splitlines() == [
        "failed  alarms    The stack has no alarm. Deploy the current version.",
        "ok      clean-up  nothing remains of the verification",
        "",
        "2 checks: 1 failed, 0 warnings",
    ]
    [alarms, _] = sluice("verify", "--only", "alarms", "--json").document["checks"]
    assert (alarms["state"], alarms["hint"]) == ("failed", "Deploy the current version.")


class StackWithClients(StubStackOfService):
    """A stack whose clients have keys: its usage plan is that of the stub stack."""

    def __init__(self, url: str, stub: StubStack) -> None:
        super().__init__(url)
        self.outputs = stub.outputs
        self.name = STACK_NAME
        self.gateway = stub.emulator.client("apigateway")

    def client(self, _service: str) -> Any:
        return self.gateway

    def output(self, name: str) -> str:
        return self.outputs[name]


def test_a_client_with_a_key_is_made_where_clients_need_one_and_removed(
    service: StubService, stub_stack: StubStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract = describe_contract(NOTES)
    contract["components"] = {"securitySchemes": {"client_key": {}}}
    service.respond("GET /v1/openapi.json", 200, contract)
    monkeypatch.setattr(subject_module, "fetch_machine_token", lambda _stack: "token")
    stack: Any = StackWithClients(service.url, stub_stack)
    others = list_clients(stack)
    subject = Subject(stack)
    subject.own_write()
    # Other tests of this emulator have clients too.
    [client] = [client for client in list_clients(stack) if client not in others]
    assert client.name.startswith("sluice verify ")
    value = stack.gateway.get_api_key(apiKey=client.id, includeValue=True)["value"]
    sent = {request: key for (request, _), key in zip(service.requests, service.keys, strict=True)}
    assert (sent["POST /v1/notes"], sent["GET /v1/openapi.json"]) == (value, None)
    assert subject.clean_up() == []
    assert list_clients(stack) == others


def test_a_key_that_the_api_keeps_refusing_fails(
    service: StubService, stub_stack: StubStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract = describe_contract(NOTES)
    contract["components"] = {"securitySchemes": {"client_key": {}}}
    service.respond("GET /v1/openapi.json", 200, contract)
    service.respond("GET /v1/", 403)
    monkeypatch.setattr(subject_module, "fetch_machine_token", lambda _stack: "token")
    monkeypatch.setattr(subject_module, "KEY_SECONDS", 0.1)
    stack: Any = StackWithClients(service.url, stub_stack)
    others = list_clients(stack)
    subject = Subject(stack)
    with pytest.raises(CheckFailed, match="The API refuses a new client key"):
        subject.own_write()
    assert subject.clean_up() == []
    assert list_clients(stack) == others


class ServiceWithCache(StubService):
    """Answers a list of planes with the next of `statuses`."""

    statuses: tuple[int, ...] = ()

    def answer(self, request: str) -> Any:
        if request != "GET /v1/planes":
            return super().answer(request)
        status, *rest = self.statuses
        self.statuses = tuple(rest)
        return status, {}, {"detail": "The answer."}


@pytest.mark.parametrize(
    ("statuses", "sentence"),
    [
        ((400, 200), ""),
        ((400, 400), "A list after an unknown parameter answers 400"),
        ((200, 200), "A list with an unknown parameter answers 200"),
    ],
)
def test_the_error_of_one_query_must_not_be_the_answer_to_another(statuses: tuple[int, ...], sentence: str) -> None:
    with start_stub_service(ServiceWithCache()) as service:
        service.respond("GET /v1/openapi.json", 200, describe_contract(PLANES, NOTES))
        service.statuses = statuses
        subject = create_subject(service)
        subject.stack.parameters["ApiCacheSize"] = "0.5"
        [result] = run_checks(subject, [CHECKS["cache-key"]])
    assert (result.state, sentence in result.message) == ("failed" if sentence else "ok", True)


def test_without_a_cache_or_a_shared_collection_there_is_nothing_to_check(service: StubService) -> None:
    subject = create_subject(service)
    assert run_checks(subject, [CHECKS["cache-key"]])[0].state == "ok"
    service.respond("GET /v1/openapi.json", 200, describe_contract(NOTES))
    subject = create_subject(service)
    subject.stack.parameters["ApiCacheSize"] = "0.5"
    assert "nothing is cached" in run_checks(subject, [CHECKS["cache-key"]])[0].message


def describe_status(writes: str, reads: str) -> dict[str, Any]:
    behind = {"seconds_behind": 2} if reads == "available" else {}
    return {"at": "2026-11-29T17:00:41Z", "writes": {"state": writes}, "reads": {"state": reads, **behind}}


@pytest.mark.parametrize(
    ("status", "document", "state", "sentence"),
    [
        (200, describe_status("available", "available"), "ok", "reads at most 2 s behind"),
        (200, describe_status("available", "unknown"), "failed", "says: writes available, reads unknown."),
        (200, describe_status("unavailable", "available"), "failed", "says: writes unavailable, reads available."),
        (502, None, "failed", "/v1/status answers 502."),
    ],
)
def test_the_status_must_say_that_all_is_well(
    service: StubService, monkeypatch: pytest.MonkeyPatch, status: int, document: Any, state: str, sentence: str
) -> None:
    monkeypatch.setattr("ops.verify.observability.HEARTBEAT_SECONDS", 0.1)
    service.respond("GET /v1/status", status, document)
    [result] = run_checks(create_subject(service), [CHECKS["status"]])
    assert (result.state, sentence in result.message) == (state, True), result.message


class WatchedStack:
    """A stack with a dashboard that shows `shown` of three alarms; one of them is a part of the composite one."""

    name = "watched"

    def __init__(self, *shown: str) -> None:
        self._shown = shown

    def list_resources(self, *types: str) -> dict[str, str]:
        names = {
            "AWS::CloudWatch::Dashboard": ["Board"],
            "AWS::CloudWatch::Alarm": ["Single", "Part"],
            "AWS::CloudWatch::CompositeAlarm": ["Whole"],
        }
        return {name: name for type_ in types for name in names[type_]}

    def client(self, _service: str) -> "WatchedStack":
        return self

    def get_dashboard(self, **_request: str) -> dict[str, str]:
        widgets = [{"properties": {"alarms": [f"arn:{name}" for name in self._shown]}}, {"properties": {}}]
        return {"DashboardBody": json.dumps({"widgets": widgets})}

    def describe_alarms(self, **_request: Any) -> dict[str, Any]:
        def describe(name: str, **more: str) -> dict[str, str]:
            return {"AlarmName": name, "AlarmArn": f"arn:{name}", **more}

        whole = describe("Whole", AlarmRule='ALARM("Part")')
        return {"MetricAlarms": [describe("Single"), describe("Part")], "CompositeAlarms": [whole]}


def watch(*shown: str) -> Subject:
    return cast("Subject", SimpleNamespace(stack=WatchedStack(*shown)))


def test_the_dashboard_need_not_show_the_parts_of_a_composite_alarm() -> None:
    assert alarms.run_dashboard(watch("Single", "Whole")) == "Board: 2 widgets, 2 alarms"


@pytest.mark.parametrize(("shown", "hidden"), [("Whole", "Single"), ("Single", "Whole")])
def test_a_dashboard_without_an_alarm_fails_its_check(shown: str, hidden: str) -> None:
    with pytest.raises(CheckFailed, match=f"The dashboard does not show {hidden}."):
        alarms.run_dashboard(watch(shown))
