"""One line per invocation, its metrics, and nothing of an item in all that a function prints."""

import base64
import datetime
import json
import re
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pymysql
import pytest

from sluice.observability import describe_error
from tests.unit.fresh import Invocation, environment, invoke
from tests.unit.loopback import Loopback, ReceivedRequest, accept_records, error
from tests.unit.requesting import ALICE, BOOKING, BOOKING_ID, event
from tests.unit.vault import FAULTS, MARKER, NUMBER, RESOURCE, SECRETS, VALID


def _answer(request: ReceivedRequest) -> Any:
    """The stream takes a write, unless its item has the id that a test refuses."""
    refused = request.operation == "PutRecord" and json.loads(request.records[0])["id"] == BOOKING_ID
    return error("AccessDeniedException")(request) if refused else accept_records(request)


def _events() -> dict[str, tuple[str, dict[str, Any]]]:
    lines = base64.b64encode(json.dumps(VALID).encode()).decode()
    return {
        "accepted": ("post", event("POST", "vaults", VALID, headers={"Idempotency-Key": MARKER})),
        "replaced": ("put", event("PUT", f"vaults/{uuid.uuid4()}", VALID)),
        "deleted": ("delete", event("DELETE", f"vaults/{uuid.uuid4()}")),
        "refused": ("put", event("PUT", f"vaults/{BOOKING_ID}", VALID)),
        "unknown": ("post", event("POST", f"c{MARKER}", VALID)),
        "misnamed": ("put", event("PUT", f"vaults/{MARKER}", VALID)),
        "typed": ("post", event("POST", "vaults", VALID, headers={"Content-Type": MARKER})),
        "absent": ("fallback", event(MARKER, f"vaults/{MARKER}", VALID)),
        "listed": ("get", event("GET", "vaults", query={"limit": MARKER, "after": MARKER})),
        "transformed": ("transform", {"records": [{"recordId": "1", "data": lines}]}),
        "untransformed": ("transform", {"records": [{"recordId": "1", "data": {MARKER: NUMBER}}]}),
        "mislaid": ("quarantine", {"bucket": f"?{MARKER}", "key": "batches/1", "etag": "e"}),
        **{name: ("post", event("POST", "vaults", body)) for name, body in FAULTS.items()},
    }


@pytest.fixture(scope="module")
def invocations(aws: Loopback, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Invocation]:
    """All events, sent to functions of a fresh process that serves one other resource."""
    folder = tmp_path_factory.mktemp("adopter")
    (folder / "resources").mkdir()
    (folder / "resources" / "__init__.py").touch()
    Path(folder / "resources" / "vaults.py").write_text(RESOURCE)
    events = _events()
    aws.reset()
    aws.otherwise = _answer
    invocation_logs, errors = invoke(
        events.values(), environment(folder, AWS_ENDPOINT_URL=aws.url, STACK_NAME="orders")
    )
    aws.reset()
    assert errors == ""
    return dict(zip(events, invocation_logs, strict=True))


NAMES = list(_events())


@pytest.mark.parametrize("name", NAMES)
def test_exactly_one_line_is_logged(invocations: dict[str, Invocation], name: str) -> None:
    (line,) = invocations[name].lines
    assert {"level", "timestamp", "message", "lambda_request_id", "function"} <= line.keys()
    assert (line["service"], line["function"]) == ("sluice", "function")


@pytest.mark.parametrize("name", NAMES)
def test_a_line_has_a_timestamp_that_lambda_reads(invocations: dict[str, Invocation], name: str) -> None:
    """Lambda reads RFC 3339, and takes a line with any other form for INFO."""
    (line,) = invocations[name].lines
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["timestamp"])
    age = datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(line["timestamp"])
    assert datetime.timedelta(0) <= age < datetime.timedelta(hours=1)


@pytest.mark.parametrize("level", ["INFO", "WARN", "ERROR"])
def test_each_log_level_leaves_out_lines_and_no_metric(aws: Loopback, level: str) -> None:
    """With the level of Lambda's own filter as the template sets it, which Powertools would prefer."""
    settings = environment(AWS_LAMBDA_LOG_FORMAT="JSON", AWS_LAMBDA_LOG_LEVEL="INFO", LOG_LEVEL=level)
    events = [_events()["transformed"], _events()["untransformed"]]
    (done, failed), errors = invoke(events, settings | {"AWS_ENDPOINT_URL": aws.url})
    assert errors == ""
    assert [line["level"] for line in done.lines] == (["INFO"] if level == "INFO" else [])
    assert [line["level"] for line in failed.lines] == ["ERROR"]
    assert [metric["RecordsFailed"] for metric in done.metrics] == [[1.0]]


@pytest.mark.parametrize(
    ("forwarded_for", "client_address"),
    [
        ("203.0.113.17, 198.51.100.4", "203.0.113.17"),
        ("10.0.0.1, 203.0.113.17, 198.51.100.4", "203.0.113.17"),
        ("198.51.100.4, 2001:db8::17,198.51.100.4", "2001:db8::17"),
        ("10.0.0.1, 203.0.113.17", "203.0.113.17"),
        ("198.51.100.4", "198.51.100.4"),
        (None, "198.51.100.4"),
    ],
    ids=["usual", "forged", "edge's own", "API Gateway appends nothing", "direct", "no header"],
)
@pytest.mark.parametrize("function", ["post", "fallback"])
def test_the_line_of_a_request_has_its_ids_and_the_clients_address(
    aws: Loopback, function: str, forwarded_for: str | None, client_address: str
) -> None:
    """CloudFront appends the client's address, and API Gateway CloudFront's, which is the source of the request."""
    headers = {"X-Amz-Cf-Id": "edge==", **({"X-Forwarded-For": forwarded_for} if forwarded_for else {})}
    request = event("POST", "bookings", BOOKING, headers=headers)
    request["requestContext"] |= {"requestId": "6f0a7f4e", "identity": {"sourceIp": "198.51.100.4"}}
    trace = "1-6b0323d0-3f8a1c9e2b7d4a5f6c8e9d01"
    settings = environment(AWS_ENDPOINT_URL=aws.url, _X_AMZN_TRACE_ID=f"Root={trace};Parent=0;Sampled=0")
    (invocation,), _ = invoke([(function, request)], settings)
    (line,) = invocation.lines
    assert line["xray_trace_id"] == trace
    assert (line["request_id"], line["edge_request_id"], line["client_address"], line["lambda_request_id"]) == (
        "6f0a7f4e",
        "edge==",
        client_address,
        "6f3f3a0e-request",
    )


def test_request_ids_are_logged_in_lines_that_cloudwatch_takes() -> None:
    ids = [f"{number:064}" for number in range(5000)]
    code = "import json, sys; from sluice.observability import log_request_ids as log; log('x', json.load(sys.stdin))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(ids),
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) < 256_000
    assert [name for line in lines for name in json.loads(line)["request_ids"].split()] == ids


@pytest.mark.parametrize("name", NAMES)
def test_nothing_of_an_item_is_printed(invocations: dict[str, Invocation], name: str) -> None:
    assert [secret for secret in SECRETS if secret in invocations[name].printed] == []


def test_each_line_says_what_became_of_the_request(invocations: dict[str, Invocation]) -> None:
    statuses = {
        name: invocations[name].answer["statusCode"]
        for name in NAMES
        if "statusCode" in (invocations[name].answer or {})
    }
    assert {name: invocations[name].lines[0]["status"] for name in statuses} == statuses
    assert {name: statuses[name] for name in list(statuses)[:9]} == {
        "accepted": 202,
        "replaced": 202,
        "deleted": 202,
        "refused": 503,
        "unknown": 404,
        "misnamed": 400,
        "typed": 415,
        "absent": 405,
        "listed": 400,
    }
    assert statuses["an error that quotes"] == 500
    assert all(400 <= statuses[name] < 500 for name in FAULTS if name != "an error that quotes")


@pytest.mark.parametrize(("name", "operation"), [("accepted", "put"), ("replaced", "put"), ("deleted", "delete")])
def test_an_accepted_write_can_be_followed(invocations: dict[str, Invocation], name: str, operation: str) -> None:
    (line,), answer = invocations[name].lines, json.loads(invocations[name].answer["body"])
    assert (line["version"], line["collection"], line["operation"]) == (answer["version"], "vaults", operation)
    assert (line["level"], line["message"].split()[1]) == ("INFO", "done")


@pytest.mark.parametrize("name", [name for name in FAULTS if name != "an error that quotes"])
def test_a_clients_fault_is_no_error_of_ours(invocations: dict[str, Invocation], name: str) -> None:
    (line,) = invocations[name].lines
    assert (line["level"], line["collection"]) == ("INFO", "vaults")
    assert invocations[name].metrics == []


def test_a_fault_names_its_field_in_the_line(invocations: dict[str, Invocation]) -> None:
    assert invocations["too long"].lines[0]["problem"] == ["label"]
    assert invocations["a nested fault"].lines[0]["problem"] == ["part.name"]


def test_a_refused_write_is_logged_with_the_streams_code(invocations: dict[str, Invocation]) -> None:
    (line,) = invocations["refused"].lines
    assert (line["stream_error"], line["collection"], len(line["version"])) == ("AccessDeniedException", "vaults", 26)
    assert line["level"] == "ERROR"


def test_an_unexpected_error_is_logged_by_class_and_place(invocations: dict[str, Invocation]) -> None:
    (line,) = invocations["an error that quotes"].lines
    assert (line["level"], line["error"], line["place"].split(":")[0]) == ("ERROR", "RuntimeError", "vaults.py")


@pytest.mark.parametrize(("name", "kind"), [("untransformed", "TypeError"), ("mislaid", "ParamValidationError")])
def test_an_error_reaches_lambda_by_its_class_without_its_message(
    invocations: dict[str, Invocation], name: str, kind: str
) -> None:
    invocation = invocations[name]
    (line,) = invocation.lines
    assert (line["level"], line["error"], invocation.answer) == ("ERROR", kind, None)
    assert f"{kind}: its message is withheld" in invocation.printed


@pytest.mark.parametrize(
    ("name", "metric", "value"),
    [("accepted", "WritesAccepted", 1.0), ("refused", "WritesRefused", 1.0), ("transformed", "RecordsFailed", 1.0)],
)
def test_a_metric_has_the_embedded_format(
    invocations: dict[str, Invocation], name: str, metric: str, value: float
) -> None:
    (emitted,) = invocations[name].metrics
    (directive,) = emitted["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "Sluice"
    assert directive["Metrics"] == [{"Name": metric, "Unit": "Count"}]
    assert all(name in emitted for names in directive["Dimensions"] for name in names)
    assert emitted[metric] == [value]
    assert directive["Dimensions"] == [["stack", "service"]]
    assert (emitted["service"], emitted["stack"]) == ("sluice", "orders")
    assert isinstance(emitted["_aws"]["Timestamp"], int)
    assert ALICE["sub"] not in json.dumps(emitted)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (pymysql.OperationalError(1118, MARKER), "1118"),
        (pymysql.OperationalError(MARKER), None),
        (KeyError(1118), None),
    ],
)
def test_what_the_database_says_is_named_by_its_number(error: Exception, code: str | None) -> None:
    described_error = describe_error(error)
    assert (described_error["error"], described_error.get("code")) == (type(error).__name__, code)
    assert MARKER not in str(described_error)
