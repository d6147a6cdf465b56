"""Replay and recover on the deployed stack."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.stack import Stack
from tests.stack.database_dump import dump_database, load_dump
from tests.stack.rebuild_harness import RebuildHarness
from tests.stack.recovery_harness import RecoveryHarness, Versions
from tests.stack.samples import airport
from tests.stack.waiting import eventually

pytestmark = pytest.mark.stack("second")


@pytest.fixture(scope="module")
def recovery(stack: Stack) -> RecoveryHarness:
    return RecoveryHarness(stack)


@pytest.fixture(autouse=True)
def whole(recovery: RecoveryHarness) -> Iterator[None]:
    """After each test, load what is missing."""
    yield
    recovery.stack.servers.start()
    eventually(lambda: recovery.run_replay()["status"] == "complete")


def put_airports(machine: httpx.Client, prefix: str, numbers: range) -> Versions:
    versions = {}
    for number in numbers:
        code = f"{prefix}{number:02}"
        answer = machine.put(f"/v1/airports/{code}", json=airport(code))
        assert answer.status_code == 202
        versions[code] = answer.json()["version"]
    return versions


@pytest.fixture(scope="module", autouse=True)
def early_versions(stack: Stack, recovery: RecoveryHarness, machine_token: str) -> Versions:
    """Written first, because the archive gets them a minute later; Firehose has no shorter buffer interval."""
    headers = {"Authorization": f"Bearer {machine_token}"}
    with httpx.Client(base_url=stack.api_url, headers=headers, timeout=60, trust_env=False) as machine:
        versions = put_airports(machine, "RI", range(5))
    eventually(lambda: recovery.read_versions("RI") == versions)
    return versions


def test_a_replay_loads_the_missing_batches_and_a_second_one_nothing(recovery: RecoveryHarness) -> None:
    versions = recovery.put_batches("RA", 5)
    assert recovery.count_missing() == 5
    output = recovery.run_replay()
    assert (output["status"], output["planned"], output["loaded"]) == ("complete", 5, 5)
    assert (output["remaining"], output["failed"], output["rejected"]) == (0, 0, 0)
    assert recovery.read_versions("RA") == versions
    assert recovery.count_missing() == 0
    report = recovery.s3.get_object(Bucket=output["report"]["bucket"], Key=output["report"]["key"])["Body"].read()
    assert json.loads(report) == output
    second_replay = recovery.run_replay()
    assert (second_replay["status"], second_replay["planned"], second_replay["loaded"]) == ("complete", 0, 0)


def test_a_dry_run_reports_the_plan_and_changes_nothing(recovery: RecoveryHarness) -> None:
    recovery.put_batches("RB", 3)
    before = recovery.read_ledger()
    output = recovery.run_replay(dry_run=True)
    assert (output["status"], output["planned"], output["loaded"]) == ("planned", 3, 0)
    assert output["bytes"] > 0
    assert output["oldest"] is not None
    assert recovery.read_ledger() == before
    assert recovery.read_versions("RB") == {}
    assert recovery.count_missing() == 3


@pytest.mark.slow
def test_two_replays_at_once_load_everything_once(recovery: RecoveryHarness) -> None:
    versions = recovery.put_batches("RC", 8)
    outputs = [
        recovery.wait_for_output(execution)
        for execution in [recovery.start_workflow("Replay", {}), recovery.start_workflow("Replay", {})]
    ]
    assert [output["status"] for output in outputs] == ["complete"] * 2
    assert sum(output["loaded"] for output in outputs) == 8
    assert recovery.read_versions("RC") == versions


def test_a_replay_continues_after_a_killed_one(recovery: RecoveryHarness, primary: Any) -> None:
    versions = recovery.put_batches("RD", 1)
    recovery.run_replay()
    versions |= recovery.put_batches("RD", 6)
    with primary.cursor() as cursor:
        cursor.execute("START TRANSACTION")
        # Loads wait for this lock, so the replay is stopped before its end.
        cursor.execute("SELECT 1 FROM airports WHERE id = 'RD02' FOR UPDATE")
        execution = recovery.start_workflow("Replay", {})
        runs = eventually(lambda: recovery.states.list_map_runs(executionArn=execution)["mapRuns"])
        eventually(lambda: _read_item_counts(recovery, runs[0])["running"])
        recovery.states.stop_execution(executionArn=execution)
        cursor.execute("ROLLBACK")
    assert recovery.wait_until_ended(execution)["status"] == "ABORTED"
    assert _read_item_counts(recovery, runs[0])["pending"] > 0
    output = recovery.run_replay()
    assert output["status"] == "complete"
    assert 0 < output["planned"] <= 6
    assert recovery.read_versions("RD") == versions


def _read_item_counts(recovery: RecoveryHarness, run: dict[str, Any]) -> dict[str, int]:
    return dict(recovery.states.describe_map_run(mapRunArn=run["mapRunArn"])["itemCounts"])


@pytest.mark.slow
def test_a_replay_during_traffic_ends_and_later_writes_win(recovery: RecoveryHarness, machine: httpx.Client) -> None:
    versions = recovery.put_batches("RJ", 8)
    execution = recovery.start_workflow("Replay", {})
    versions |= put_airports(machine, "RJ", range(9))
    output = recovery.wait_for_output(execution)
    assert (output["status"], output["remaining"]) == ("complete", 0)
    assert output["planned"] >= 8
    eventually(lambda: recovery.read_versions("RJ") == versions)


@pytest.mark.slow
def test_a_restored_dump_lacks_only_later_batches(
    stack: Stack, recovery: RecoveryHarness, replica: Any, tmp_path: Path
) -> None:
    versions = recovery.put_batches("RK", 2)
    recovery.run_replay()
    dump_database(stack, tmp_path / "sluice.sql")
    versions |= recovery.put_batches("RK", 3)
    recovery.run_replay()
    load_dump(stack, tmp_path / "sluice.sql")
    assert recovery.count_missing() == 3
    output = recovery.run_replay()
    assert (output["status"], output["planned"], output["loaded"]) == ("complete", 3, 3)
    assert recovery.read_versions("RK") == versions
    assert recovery.run_replay()["planned"] == 0
    stack.servers.wait_for_replicas()
    with replica.cursor() as cursor:
        cursor.execute("SELECT id, version FROM airports WHERE id LIKE 'RK%'")
        assert dict(cursor.fetchall()) == versions


@pytest.mark.slow
def test_mode_all_restores_deleted_rows(recovery: RecoveryHarness, primary: Any) -> None:
    versions = recovery.put_batches("RE", 3)
    recovery.run_replay()
    with primary.cursor() as cursor:
        cursor.execute("DELETE FROM airports WHERE id LIKE 'RE%'")
    assert recovery.run_replay()["planned"] == 0
    output = recovery.run_replay(mode="all", collections=["bookings"])
    assert output["status"] == "complete"
    assert recovery.read_versions("RE") == {}
    output = recovery.run_replay(mode="all")
    assert (output["status"], output["failed"]) == ("complete", 0)
    assert output["planned"] == output["loaded"] >= 3
    assert recovery.read_versions("RE") == versions


def test_an_unreadable_batch_is_quarantined_once_and_the_others_are_loaded(recovery: RecoveryHarness) -> None:
    versions = recovery.put_batches("RF", 2)
    key = "batches/2026/01/01/00/test-unreadable.jsonl.gz"
    with recovery.disable_rules("BatchDelivered"):
        recovery.s3.put_object(Bucket=recovery.bucket, Key=key, Body=b"no batch")
    output = recovery.run_replay()
    assert (output["status"], output["planned"], output["loaded"], output["quarantined"]) == ("complete", 3, 2, 1)
    assert recovery.read_versions("RF") == versions
    assert recovery.s3.head_object(Bucket=recovery.bucket, Key=f"quarantine/{key}")
    assert recovery.run_replay()["planned"] == 0
    for object_key in (key, f"quarantine/{key}"):
        recovery.s3.delete_object(Bucket=recovery.bucket, Key=object_key)


@pytest.mark.parametrize(
    ("input_", "error", "message"),
    [
        ({"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, "InvalidWindow", "Swap them."),
        ({"to": "2126-01-01T00:00:00Z"}, "FutureTime", "is in the future"),
        ({"collections": ["unknown"]}, "UnknownCollection", "There is no collection 'unknown'"),
        ({"colections": []}, "InvalidInput", "unknown field"),
    ],
)
def test_an_invalid_input_fails_with_a_message(
    recovery: RecoveryHarness, input_: Any, error: str, message: str
) -> None:
    ended = recovery.wait_until_ended(recovery.start_workflow("Replay", input_))
    assert (ended["status"], ended["error"]) == ("FAILED", error)
    assert message in json.loads(ended["cause"])["errorMessage"]


def test_a_window_without_batches_plans_nothing(recovery: RecoveryHarness) -> None:
    output = recovery.run_replay(**{"from": "2020-01-01T00:00:00Z", "to": "2020-01-02T00:00:00Z"})
    assert (output["status"], output["listed"], output["planned"]) == ("complete", 0, 0)


def test_an_alert_that_was_sent_is_not_new_the_next_time(recovery: RecoveryHarness) -> None:
    def is_new(alert: str, **sent: bool) -> bool:
        response = recovery.stack.aws_client("lambda").invoke(
            FunctionName=recovery.stack.outputs["LeaseFunctionName"], Payload=json.dumps({"alert": alert, **sent})
        )
        return bool(json.loads(response["Payload"].read())["is_new"])

    assert [is_new("incomplete a"), is_new("incomplete a")] == [True, True]
    is_new("incomplete a", sent=True)
    assert [is_new("incomplete a"), is_new("incomplete b")] == [False, True]


def park_batches(recovery: RecoveryHarness, machine: httpx.Client, prefix: str) -> Versions:
    """Write while the primary is down until loads have failed; the primary stays down."""
    recovery.stack.servers.primary.kill()
    before = len(recovery.list_executions("Load", "FAILED"))
    versions: Versions = {}
    for number in range(3):
        versions |= put_airports(machine, prefix, range(5 * number, 5 * number + 5))
        eventually(partial(_more_failed, recovery, before + number))
    return versions


def _more_failed(recovery: RecoveryHarness, than: int) -> bool:
    return len(recovery.list_executions("Load", "FAILED")) > than


def test_parked_batches_raise_the_alarm_and_are_loaded_automatically(
    recovery: RecoveryHarness, machine: httpx.Client
) -> None:
    before = len(recovery.list_executions("Recover"))
    with recovery.limit_load_retries():
        versions = park_batches(recovery, machine, "RG")
        started = eventually(
            lambda: recovery.list_executions("Recover")[: len(recovery.list_executions("Recover")) - before]
        )
    assert recovery.read_alarm_state("LoadsFailedAlarm") == "ALARM"
    late = recovery.start_workflow("Recover", {"trigger": "operator"})
    assert recovery.wait_for_output(late) == {"outcome": "already_running", "holder": started[-1]["executionArn"]}
    recovery.stack.servers.start()
    output = recovery.wait_for_output(started[-1]["executionArn"], 150)
    assert output["outcome"] == "recovered"
    assert output["replay"]["planned"] >= 3
    assert output["replay"]["remaining"] == 0
    assert output["database"]["primary"]["accepts_writes"]
    assert output["waited"] > 0
    assert recovery.read_versions("RG") == versions


@pytest.mark.slow
def test_without_the_alarm_the_schedule_recovers(recovery: RecoveryHarness, machine: httpx.Client) -> None:
    with recovery.disable_rules("BatchesParked"):
        with recovery.limit_load_retries():
            versions = park_batches(recovery, machine, "RH")
        recovery.stack.servers.start()
        eventually(lambda: recovery.count_missing() >= 3)
        assert recovery.list_executions("Recover", "RUNNING") == []
        [target] = recovery.events.list_targets_by_rule(Rule=recovery.find_rule_name("RecoverySchedule"))["Targets"]
        assert target["Arn"] == recovery.stack.outputs["RecoverStateMachineArn"]

        outputs: list[dict[str, Any]] = []

        def run_scheduled_recovery() -> bool:
            """Run the scheduled recovery, which skips recent batches; return whether all batches are loaded."""
            outputs.append(
                recovery.wait_for_output(recovery.start_workflow("Recover", json.loads(target["Input"])), 150)
            )
            return outputs[-1]["outcome"] == "recovered" and recovery.read_versions("RH") == versions

        eventually(run_scheduled_recovery)
    assert outputs[-1]["replay"]["request"]["min_age"] == 10
    assert outputs[-1]["replay"]["remaining"] == 0
    assert sum(output["replay"]["planned"] for output in outputs) >= 3
    quiet = recovery.wait_for_output(recovery.start_workflow("Recover", json.loads(target["Input"])))
    assert quiet["outcome"] == "nothing_missing"
    assert quiet["replay"]["seconds"] < 10


@pytest.mark.slow
def test_the_archive_restores_deleted_rows(
    recovery: RecoveryHarness, early_versions: Versions, primary: Any, stack: Stack
) -> None:
    RebuildHarness(stack).wait_until_archived(early_versions)
    ledger = recovery.read_ledger()
    with primary.cursor() as cursor:
        cursor.execute("DELETE FROM airports WHERE id LIKE 'RI%'")
    output = recovery.run_replay(source="archive")
    assert (output["status"], output["request"]["mode"]) == ("complete", "all")
    assert output["planned"] == output["loaded"] > 0
    assert recovery.read_versions("RI") == early_versions
    assert recovery.read_ledger() == ledger
