"""The data of the console's API, on the stub stack."""

import copy
import datetime
import gzip
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from ops.aws import Stack
from ops.commands.status import read_status
from ops.console import picture as picture_module
from ops.console.item_history import ItemSelection, build_history
from ops.console.messages import Batch, Execution, Progress, Snapshot
from ops.console.timeline import find_waits
from testkit.emulator_harness import Emulator, wait_until
from tests.ops.console_client import ConsoleClient
from tests.ops.stub_stack import HEALTHY_DATABASE, REPLAY_REPORT, STACK_NAME, WORKFLOWS, StubStack, build_verified_plan

VERSIONS = [f"01KB{number:022}" for number in range(9)]
REJECTED = {"collection": "airports", "id": "A", "reason": "city: Data too long", "object_key": "", "line": 1}


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def build_key(name: str) -> str:
    return f"batches/{now():%Y/%m/%d/%H}/{name}.jsonl.gz"


def build_write(number: int, item_id: str = "A", **fields: Any) -> dict[str, Any]:
    return {
        "version": VERSIONS[number], "collection": "airports", "id": item_id, "operation": "put", "owner": "",
        "accepted_at": "2026-11-29T10:00:00Z", "request_id": f"r-{number}", "schema": 1, "data": {"n": number},
        **fields,
    }  # fmt: skip


def put_batch(stub_stack: StubStack, name: str, *writes: Any) -> str:
    key = build_key(name)
    lines = [write if isinstance(write, bytes) else json.dumps(write).encode() for write in writes]
    stub_stack.put_object(key, gzip.compress(b"\n".join(lines) + b"\n"))
    return key


def enter(stub_stack: StubStack, *keys: str, applied: int = 1, loaded_at: str = "") -> None:
    """Let the ledger have batches."""
    loaded_at = loaded_at or now().isoformat()
    entries = [
        {
            "key": key, "etag": stub_stack.s3.head_object(Bucket=stub_stack.bucket, Key=key)["ETag"].strip('"'),
            "applied": applied, "stale": 1, "rejected": 0, "loaded_at": loaded_at,
        }
        for key in keys
    ]  # fmt: skip
    stub_stack.set_response("Plan", look_up={"loaded": entries})


def test_the_stack_and_its_commands_are_described(console: ConsoleClient) -> None:
    stack = console.read("/api/stack")
    assert (stack["name"], stack["region"], stack["is_local"]) == (STACK_NAME, "us-east-1", False)
    commands = {command["name"]: command for command in stack["commands"]}
    # The stub stack has no rebuild workflow.
    assert [*commands] == [
        "replay", "recover", "restore", "rejected-writes retry", "rejected-writes drop", "quarantine retry",
        "quarantine drop",
    ]  # fmt: skip
    assert {name for name, command in commands.items() if command["is_destructive"]} == {
        "restore", "rejected-writes drop", "quarantine drop",
    }  # fmt: skip
    assert all(command["has_dry_run"] for command in commands.values())
    kinds = {argument["name"]: argument["kind"] for argument in commands["replay"]["arguments"]}
    assert kinds == {"begins": "time", "ends": "time", "collections": "list", "source": "choice", "mode": "choice"}
    labels = {name: [entry["label"] for entry in command["arguments"]] for name, command in commands.items()}
    assert labels["replay"] == ["--from", "--to", "--collection", "--source", "--mode"]
    assert labels["quarantine drop"] == ["KEY", "--all"]
    source = next(entry for entry in commands["replay"]["arguments"] if entry["name"] == "source")
    assert (source["choices"], source["default"]) == (["batches", "archive"], "batches")
    assert {entry["name"]: entry["kind"] for entry in commands["quarantine drop"]["arguments"]} == {
        "keys": "list", "all": "flag",
    }  # fmt: skip


def test_the_snapshot_has_the_status_and_what_waits(console: ConsoleClient, stub_stack: StubStack) -> None:
    stub_stack.set_response("Plan", verify=build_verified_plan("batches/a", "batches/b"))
    name, snapshot = next(console.stream_events("/api/events"))
    assert name == "snapshot"
    assert snapshot["status"]["stack"] == STACK_NAME
    assert (snapshot["lag_seconds"], snapshot["problems"]) == (0.2, [])
    assert (snapshot["waiting"]["batches"], snapshot["waiting"]["bytes"]) == (2, 20)
    assert snapshot["calls"]["total"] > 5
    assert 0 < snapshot["calls"]["dollars_per_hour"] < 1


def test_the_snapshot_has_rates_and_the_alarms_of_this_stack(
    console: ConsoleClient, stub_stack: StubStack, emulator: Emulator
) -> None:
    cloudwatch = emulator.client("cloudwatch")
    dimensions = [{"Name": "service", "Value": "sluice"}, {"Name": "stack", "Value": STACK_NAME}]
    datum = {"Dimensions": dimensions, "Timestamp": now() - datetime.timedelta(minutes=2), "Unit": "Count"}
    values = {"WritesAccepted": 600.0, "WritesApplied": 300.0}
    cloudwatch.put_metric_data(
        Namespace="Sluice", MetricData=[{**datum, "MetricName": name, "Value": value} for name, value in values.items()]
    )
    alarm = {
        "MetricName": "m", "Namespace": "n", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1, "Threshold": 0.0,
        "ComparisonOperator": "GreaterThanThreshold",
    }  # fmt: skip
    topics = {"LoadErrorsAlarm-1A": stub_stack.outputs["AlertsTopicArn"], "b-LoadErrorsAlarm-1A": "arn:aws:sns:other"}
    for name, topic in topics.items():
        cloudwatch.put_metric_alarm(AlarmName=f"{STACK_NAME}-{name}", AlarmActions=[topic], **alarm)
    # A composite alarm, of which a part has no action.
    part, whole = f"{STACK_NAME}-WritesHourAlarm-1A", f"{STACK_NAME}-WritesBurnAlarm-1A"
    cloudwatch.put_metric_alarm(AlarmName=part, **alarm)
    topic = stub_stack.outputs["AlertsTopicArn"]
    cloudwatch.put_composite_alarm(AlarmName=whole, AlarmRule=f'ALARM("{part}")', AlarmActions=[topic])
    try:
        _, snapshot = next(console.stream_events("/api/events"))
    finally:
        # CloudWatch deletes no part of a composite alarm.
        cloudwatch.delete_alarms(AlarmNames=[whole])
        cloudwatch.delete_alarms(AlarmNames=[part, *(f"{STACK_NAME}-{name}" for name in topics)])
    assert (snapshot["problems"], snapshot["rates"]["writes_accepted"], snapshot["rates"]["writes_applied"]) == (
        [], 10.0, 5.0,
    )  # fmt: skip
    assert {alarm["name"]: alarm["runbook"] for alarm in snapshot["alarms"]} == {
        "LoadErrorsAlarm": "how-to/outages.md#the-database-is-unavailable",
        "WritesBurnAlarm": "how-to/service-levels.md#writes-are-not-accepted",
    }
    timeline = console.read("/api/timeline", minutes=10)
    assert [(point["accepted"], point["applied"]) for point in timeline["rates"]] == [(10.0, 5.0)]


def test_a_failure_is_a_problem_of_the_snapshot(console: ConsoleClient, stub_stack: StubStack) -> None:
    stub_stack.responses["HealthCheck"] = {"raise": "Odd", "message": "withheld"}
    stub_stack.set_response()
    _, snapshot = next(console.stream_events("/api/events"))
    assert (snapshot["status"], snapshot["waiting"]) == (None, None)
    assert snapshot["problems"] == [{"message": "HealthCheckFunction failed with Odd: withheld", "hint": ""}]


def test_the_tabs_share_one_reader_that_ends_with_the_last(
    console: ConsoleClient, stub_stack: StubStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    poller, picture = console.server.session.poller, console.server.session._picture
    read, meeting, has_met = picture.read, threading.Barrier(2), threading.Event()

    def read_alone() -> Snapshot:
        """Wait for another reader, read, and let the next reading follow at once."""
        try:
            meeting.wait(0.2)
            has_met.set()
        except threading.BrokenBarrierError:
            meeting.reset()
        snapshot = read()
        picture.next_read_seconds = 0.0
        return snapshot

    monkeypatch.setattr(picture, "read", read_alone)
    first, second = console.stream_events("/api/events"), console.stream_events("/api/events")
    assert next(first)[1]["at"] == next(second)[1]["at"]
    for _ in range(4):
        assert next(first)[0] == next(second)[0] == "snapshot"
    assert not has_met.is_set()
    first.close()  # type: ignore[attr-defined]
    assert poller.is_polling
    second.close()  # type: ignore[attr-defined]
    wait_until(lambda: not poller.is_polling)


def test_a_page_that_is_reloaded_waits_for_the_read_of_before(
    console: ConsoleClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    meeting, has_begun, has_met = threading.Barrier(2), threading.Event(), threading.Event()

    def read_alone(stack: Stack) -> dict[str, Any]:
        """Wait for another reader, and read."""
        has_begun.set()
        try:
            meeting.wait(0.5)
            has_met.set()
        except threading.BrokenBarrierError:
            meeting.reset()
        return read_status(stack)

    monkeypatch.setattr(picture_module, "read_status", read_alone)
    with console.stream("GET", "/api/events"):
        wait_until(has_begun.is_set)
    wait_until(lambda: not console.server.session.poller.is_polling)
    assert next(console.stream_events("/api/events"))[0] == "snapshot"
    assert not has_met.is_set()


def test_the_timeline_joins_s3_with_the_ledger(console: ConsoleClient, stub_stack: StubStack) -> None:
    loaded, pending = put_batch(stub_stack, "loaded", build_write(1)), put_batch(stub_stack, "pending", build_write(2))
    quarantined = put_batch(stub_stack, "quarantined", build_write(3))
    stub_stack.put_object(f"quarantine/{quarantined}")
    enter(stub_stack, loaded, applied=4)
    stub_stack.set_workflow_output("Replay", REPLAY_REPORT)
    of_earlier_tests = {entry["name"] for workflow in WORKFLOWS for entry in stub_stack.list_executions(workflow)}
    console.run_command("replay", dry_run=True)
    timeline = console.read("/api/timeline", minutes=30)
    batches = {batch["key"]: batch for batch in timeline["batches"]}
    assert {key: batch["state"] for key, batch in batches.items()} == {
        loaded: "loaded", pending: "pending", quarantined: "quarantined",
    }  # fmt: skip
    assert (batches[loaded]["writes"], batches[loaded]["applied"], batches[pending]["writes"]) == (5, 4, None)
    assert batches[loaded]["loaded_at"] >= batches[loaded]["delivered_at"]
    executions = [entry for entry in timeline["executions"] if entry["name"] not in of_earlier_tests]
    assert [(entry["workflow"], entry["status"]) for entry in executions] == [("replay", "SUCCEEDED")]
    assert (timeline["outages"], timeline["is_complete"], timeline["problems"]) == ([], True, [])
    assert [row["key"] for row in console.read("/api/batches", state="pending")["rows"]] == [pending]


def test_a_ledger_that_cannot_be_read_leaves_what_was_known(console: ConsoleClient, stub_stack: StubStack) -> None:
    first, second = put_batch(stub_stack, "first", build_write(1)), put_batch(stub_stack, "second", build_write(2))
    failure = {"raise": "DatabaseUnavailable", "message": "OperationalError 2003"}
    stub_stack.set_response("Plan", look_up=failure)
    batches = console.read(f"/api/batches/{first}")["batch"]
    assert batches["state"] == "unknown"
    enter(stub_stack, first)
    assert console.read(f"/api/batches/{second}")["batch"]["state"] == "pending"
    assert console.read(f"/api/batches/{first}")["batch"]["state"] == "loaded"
    stub_stack.set_response("Plan", look_up=failure)
    timeline = console.read("/api/timeline")
    assert {batch["key"]: batch["state"] for batch in timeline["batches"]} == {first: "loaded", second: "pending"}
    assert timeline["problems"][0]["message"] == "The ledger cannot be read: the primary is unavailable."
    # A restored database has lost the entry.
    stub_stack.set_response("Plan", look_up={"loaded": []})
    assert console.read(f"/api/batches/{first}")["batch"]["state"] == "pending"


def test_an_older_stack_is_named(console: ConsoleClient, stub_stack: StubStack) -> None:
    put_batch(stub_stack, "first", build_write(1))
    stub_stack.set_response("Plan", look_up={"raise": "KeyError", "message": "'look_up'"})
    [problem] = console.read("/api/timeline")["problems"]
    assert problem == {
        "message": "The stack cannot look up batches: it is an older version.", "hint": "Deploy the current version.",
    }  # fmt: skip


def test_an_outage_of_the_primary_is_seen(console: ConsoleClient, stub_stack: StubStack) -> None:
    health = copy.deepcopy(HEALTHY_DATABASE)
    health["primary"] = {"is_reachable": False, "accepts_writes": False, "reason": "gone"}
    stub_stack.responses["HealthCheck"] = health
    stub_stack.set_response()
    next(console.stream_events("/api/events"))
    [outage] = console.read("/api/timeline")["outages"]
    assert (outage["kind"], outage["to"]) == ("primary", None)


def batch(delivered: str, loaded: str | None = None, state: Any = "loaded") -> Batch:
    return Batch("k", f"2026-11-29T10:{delivered}Z", 1, state, f"2026-11-29T10:{loaded}Z" if loaded else None)


@pytest.mark.parametrize(
    ("batches", "expected"),
    [
        ([batch("00:00", "00:05")], []),
        ([batch("00:00", "05:00"), batch("02:00", "05:10"), batch("08:00", "08:02")], [("00:00", "05:10")]),
        ([batch("00:00", "02:00"), batch("10:00", "12:00")], [("00:00", "02:00"), ("10:00", "12:00")]),
        ([batch("00:00", None, "pending")], [("00:00", None)]),
        ([batch("00:00", "03:00"), batch("02:00", None, "parked")], [("00:00", None)]),
        ([batch("00:00", None, "quarantined"), batch("00:00", None, "unknown")], []),
        ([batch("30:00", "41:00")], []),  # loaded by the rebuild
    ],
)
def test_batches_that_waited_show_the_outage(batches: list[Batch], expected: list[Any]) -> None:
    rebuild = Execution("rebuild", "r", "SUCCEEDED", "2026-11-29T10:40:00Z", "2026-11-29T10:42:00Z")
    waits = find_waits(batches, [rebuild], datetime.datetime(2026, 11, 29, 11, tzinfo=datetime.UTC))
    assert [(wait.from_[14:19], wait.to and wait.to[14:19]) for wait in waits] == expected


def test_a_batch_shows_its_writes(console: ConsoleClient, stub_stack: StubStack) -> None:
    key = put_batch(stub_stack, "b", build_write(1), b"no write", build_write(2, owner="<script>"))
    content = console.read(f"/api/batches/{key}")
    assert [(write["version"], write["owner"]) for write in content["writes"]] == [
        (VERSIONS[1], ""), (VERSIONS[2], "<script>"),
    ]  # fmt: skip
    assert content["is_complete"] is True
    assert console.get("/api/batches/batches/nope").status_code == 404
    assert console.get("/api/batches/archive/nope").status_code == 400
    stub_stack.put_object(key, b"no gzip")
    assert console.get(f"/api/batches/{key}").json()["message"].endswith("cannot be read: it is not GZIP.")


def test_the_history_of_an_item_has_every_write_and_its_state(console: ConsoleClient, stub_stack: StubStack) -> None:
    first = put_batch(
        stub_stack, "1", build_write(1), build_write(2, "B"), build_write(3, operation="delete", data=None)
    )
    # A copy of a write, one that is rejected, and other items whose text has the id.
    second = put_batch(
        stub_stack, "2", build_write(1), build_write(4), build_write(5, "AA"), build_write(6, "C", data={"A": "A"})
    )
    third = put_batch(stub_stack, "3", build_write(7))
    enter(stub_stack, first, second)
    listed = {"total": 1, "rejected_writes": [{**REJECTED, "version": VERSIONS[4]}], "after": None}
    stub_stack.set_response("RejectedWrites", list=listed)
    events = list(console.stream_events("/api/items/airports/A"))
    assert [name for name, _ in events] == ["progress"] * 3 + ["history"]
    assert (events[2][1]["scanned"], events[2][1]["total"]) == (3, 3)
    history = events[-1][1]
    answer = console.read("/api/items/airports/A")
    # The window moves with the clock.
    assert history["from"] <= answer["from"]
    assert {**history, "from": answer["from"]} == answer
    rows = [
        (VERSIONS.index(write["version"]), write["operation"], write["state"], write["batch"], write["superseded_by"])
        for write in history["writes"]
    ]
    assert rows == [
        (1, "put", "superseded", first, VERSIONS[3]),
        (3, "delete", "applied", first, None),
        (4, "put", "rejected", second, None),
        (7, "put", "pending", third, None),
    ]
    assert [write["copies"] for write in history["writes"]] == [1, 0, 0, 0]
    assert history["writes"][2]["reason"] == "city: Data too long"
    assert (history["scanned_batches"], history["is_complete"], history["owners"]) == (3, True, [""])


def test_a_search_that_nobody_reads_is_not_waited_for(console: ConsoleClient, monkeypatch: pytest.MonkeyPatch) -> None:
    session, is_closed, wants_more = console.server.session, threading.Event(), threading.Event()
    has_ended = threading.Event()

    def search(_item: Any, _hours: int, show_progress: Callable[[Progress], bool]) -> None:
        assert show_progress(Progress(1, 2, 0))
        is_closed.wait(10)
        if show_progress(Progress(2, 2, 0)):
            wants_more.set()
        has_ended.set()

    monkeypatch.setattr(session, "read_history", search)
    messages = session.stream_history(ItemSelection("airports", "A"), 1)
    assert next(messages) == Progress(1, 2, 0)
    messages.close()  # type: ignore[attr-defined]
    assert not has_ended.is_set()
    is_closed.set()
    wait_until(has_ended.is_set)
    assert not wants_more.is_set()


def test_an_id_of_several_owners_is_several_items(console: ConsoleClient, stub_stack: StubStack) -> None:
    key = put_batch(stub_stack, "1", build_write(1, owner="ada"), build_write(2, owner="bob"))
    enter(stub_stack, key)
    history = console.read("/api/items/airports/A")
    assert history["owners"] == ["ada", "bob"]
    assert [write["state"] for write in history["writes"]] == ["applied", "applied"]
    [write] = console.read("/api/items/airports/A", owner="bob")["writes"]
    assert write["version"] == VERSIONS[2]


def test_a_write_is_superseded_by_version_and_not_by_the_order_of_loads() -> None:
    matches = [("late", 1, build_write(1)), ("early", 1, build_write(2)), ("early", 2, build_write(3))]
    history = build_history(matches, {"early"}, {})
    assert [(write.state, write.superseded_by) for write in history] == [
        ("pending", None), ("superseded", VERSIONS[3]), ("applied", None),
    ]  # fmt: skip
    assert [write.state for write in build_history(matches, None, {})] == ["unknown"] * 3


def test_the_lists_have_rows(console: ConsoleClient, stub_stack: StubStack) -> None:
    listed = {"total": 2, "rejected_writes": [{**REJECTED, "version": VERSIONS[4]}], "after": None}
    stub_stack.set_response("RejectedWrites", list=listed)
    rejected = console.read("/api/rejected-writes")
    assert (rejected["rows"][0]["version"], rejected["is_complete"]) == (VERSIONS[4], False)
    stub_stack.put_object("quarantine/batches/q.gz")
    assert [row["key"] for row in console.read("/api/quarantine")["rows"]] == ["batches/q.gz"]
    stub_stack.set_workflow_failure("Recover", "Odd", "the reason")
    stub_stack.step_functions.start_execution(stateMachineArn=stub_stack.outputs["RecoverStateMachineArn"], name="r-1")
    [row] = [row for row in console.read("/api/executions", workflow="recover")["rows"] if row["name"] == "r-1"]
    path = f"/api/executions/recover/{row['name']}"
    wait_until(lambda: console.read(path)["status"] != "RUNNING")
    details = console.read(path)
    assert (details["status"], details["error"], details["message"]) == ("FAILED", "Odd", "the reason")
    assert details["lines"][-1] == "recover failed with Odd: the reason. (execution r-1)"
    assert console.get("/api/executions/nope/r-1").status_code == 404


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("/api/timeline?minutes=0", "minutes must be a whole number from 1 on."),
        ("/api/timeline?minutes=99999999", "minutes must be at most 44640."),
        ("/api/timeline?minutes=99999999999999999", "minutes must be"),
        ("/api/items/airports/A?hours=x", "hours must be"),
        ("/api/executions?workflow=nope", "There is no workflow nope."),
    ],
)
def test_a_wrong_question_is_one_sentence(shared_console: ConsoleClient, path: str, part: str) -> None:
    response = shared_console.get(path)
    assert response.status_code == 400
    assert part in response.json()["message"]
