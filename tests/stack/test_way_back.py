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
def back(stack: Stack) -> RecoveryHarness:
    return RecoveryHarness(stack)


@pytest.fixture(autouse=True)
def whole(back: RecoveryHarness) -> Iterator[None]:
    """Every test begins and ends with nothing missing."""
    yield
    back.stack.pair.start()
    eventually(lambda: back.run_replay()["status"] == "complete")


def put_airports(machine: httpx.Client, prefix: str, numbers: range) -> Versions:
    versions = {}
    for number in numbers:
        code = f"{prefix}{number:02}"
        answer = machine.put(f"/v1/airports/{code}", json=airport(code))
        assert answer.status_code == 202
        versions[code] = answer.json()["version"]
    return versions


@pytest.fixture(scope="module", autouse=True)
def of_old(stack: Stack, back: RecoveryHarness, machine_token: str) -> Versions:
    """Written first: the archive has the source records a minute later, which is the shortest that Firehose buffers."""
    headers = {"Authorization": f"Bearer {machine_token}"}
    with httpx.Client(base_url=stack.api_url, headers=headers, timeout=60, trust_env=False) as machine:
        versions = put_airports(machine, "RI", range(5))
    eventually(lambda: back.read_versions("RI") == versions)
    return versions


def test_what_the_ledger_lacks_is_loaded_and_a_second_run_loads_nothing(back: RecoveryHarness) -> None:
    versions = back.put_batches("RA", 5)
    assert back.count_missing() == 5
    output = back.run_replay()
    assert (output["status"], output["planned"], output["loaded"]) == ("complete", 5, 5)
    assert (output["remaining"], output["failed"], output["rejected"]) == (0, 0, 0)
    assert back.read_versions("RA") == versions
    assert back.count_missing() == 0
    report = back.s3.get_object(Bucket=output["report"]["bucket"], Key=output["report"]["key"])["Body"].read()
    assert json.loads(report) == output
    again = back.run_replay()
    assert (again["status"], again["planned"], again["loaded"]) == ("complete", 0, 0)


def test_a_dry_run_says_what_it_would_do_and_changes_nothing(back: RecoveryHarness) -> None:
    back.put_batches("RB", 3)
    before = back.read_ledger()
    output = back.run_replay(dry_run=True)
    assert (output["status"], output["planned"], output["loaded"]) == ("planned", 3, 0)
    assert output["bytes"] > 0
    assert output["oldest"] is not None
    assert back.read_ledger() == before
    assert back.read_versions("RB") == {}
    assert back.count_missing() == 3


def test_two_replays_at_once_load_everything_once(back: RecoveryHarness) -> None:
    versions = back.put_batches("RC", 8)
    outputs = [
        back.wait_for_output(one) for one in [back.start_workflow("Replay", {}), back.start_workflow("Replay", {})]
    ]
    assert [output["status"] for output in outputs] == ["complete"] * 2
    assert sum(output["loaded"] for output in outputs) == 8
    assert back.read_versions("RC") == versions


def test_a_replay_killed_on_the_way_is_run_again(back: RecoveryHarness, primary: Any) -> None:
    versions = back.put_batches("RD", 1)
    back.run_replay()
    versions |= back.put_batches("RD", 6)
    with primary.cursor() as cursor:
        cursor.execute("START TRANSACTION")
        # Loads wait for it, so that the replay is stopped in the middle.
        cursor.execute("SELECT 1 FROM airports WHERE id = 'RD02' FOR UPDATE")
        execution = back.start_workflow("Replay", {})
        runs = eventually(lambda: back.states.list_map_runs(executionArn=execution)["mapRuns"])
        eventually(lambda: _read_item_counts(back, runs[0])["running"])
        back.states.stop_execution(executionArn=execution)
        cursor.execute("ROLLBACK")
    assert back.wait_until_ended(execution)["status"] == "ABORTED"
    assert _read_item_counts(back, runs[0])["pending"] > 0
    output = back.run_replay()
    assert output["status"] == "complete"
    assert 0 < output["planned"] <= 6
    assert back.read_versions("RD") == versions


def _read_item_counts(back: RecoveryHarness, run: dict[str, Any]) -> dict[str, int]:
    return dict(back.states.describe_map_run(mapRunArn=run["mapRunArn"])["itemCounts"])


def test_a_replay_during_traffic_ends_and_later_writes_win(back: RecoveryHarness, machine: httpx.Client) -> None:
    versions = back.put_batches("RJ", 8)
    execution = back.start_workflow("Replay", {})
    versions |= put_airports(machine, "RJ", range(9))
    output = back.wait_for_output(execution)
    assert (output["status"], output["remaining"]) == ("complete", 0)
    assert output["planned"] >= 8
    eventually(lambda: back.read_versions("RJ") == versions)


def test_a_restored_dump_lacks_just_what_came_after_it(
    stack: Stack, back: RecoveryHarness, replica: Any, tmp_path: Path
) -> None:
    versions = back.put_batches("RK", 2)
    back.run_replay()
    dump_database(stack, tmp_path / "sluice.sql")
    versions |= back.put_batches("RK", 3)
    back.run_replay()
    load_dump(stack, tmp_path / "sluice.sql")
    assert back.count_missing() == 3
    output = back.run_replay()
    assert (output["status"], output["planned"], output["loaded"]) == ("complete", 3, 3)
    assert back.read_versions("RK") == versions
    assert back.run_replay()["planned"] == 0
    stack.pair.wait_for_replica()
    with replica.cursor() as cursor:
        cursor.execute("SELECT id, version FROM airports WHERE id LIKE 'RK%'")
        assert dict(cursor.fetchall()) == versions


def test_all_applies_again_what_a_table_lost(back: RecoveryHarness, primary: Any) -> None:
    versions = back.put_batches("RE", 3)
    back.run_replay()
    with primary.cursor() as cursor:
        cursor.execute("DELETE FROM airports WHERE id LIKE 'RE%'")
    assert back.run_replay()["planned"] == 0
    output = back.run_replay(mode="all", collections=["bookings"])
    assert output["status"] == "complete"
    assert back.read_versions("RE") == {}
    output = back.run_replay(mode="all")
    assert (output["status"], output["failed"]) == ("complete", 0)
    assert output["planned"] == output["loaded"] >= 3
    assert back.read_versions("RE") == versions


def test_a_batch_that_cannot_be_read_is_quarantined_once_and_the_others_are_loaded(back: RecoveryHarness) -> None:
    versions = back.put_batches("RF", 2)
    key = "batches/2026/01/01/00/test-unreadable.jsonl.gz"
    with back.disable_rules("BatchDelivered"):
        back.s3.put_object(Bucket=back.bucket, Key=key, Body=b"no batch")
    output = back.run_replay()
    assert (output["status"], output["planned"], output["loaded"], output["quarantined"]) == ("complete", 3, 2, 1)
    assert back.read_versions("RF") == versions
    assert back.s3.head_object(Bucket=back.bucket, Key=f"quarantine/{key}")
    assert back.run_replay()["planned"] == 0
    for one in (key, f"quarantine/{key}"):
        back.s3.delete_object(Bucket=back.bucket, Key=one)


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, "InvalidWindow", "Swap them."),
        ({"to": "2126-01-01T00:00:00Z"}, "FutureTime", "is in the future"),
        ({"collections": ["unknown"]}, "UnknownCollection", "There is no collection 'unknown'"),
        ({"colections": []}, "InvalidInput", "unknown field"),
    ],
)
def test_a_wrong_input_is_answered_with_a_sentence(back: RecoveryHarness, given: Any, error: str, says: str) -> None:
    ended = back.wait_until_ended(back.start_workflow("Replay", given))
    assert (ended["status"], ended["error"]) == ("FAILED", error)
    assert says in json.loads(ended["cause"])["errorMessage"]


def test_a_window_without_batches_is_nothing(back: RecoveryHarness) -> None:
    output = back.run_replay(**{"from": "2020-01-01T00:00:00Z", "to": "2020-01-02T00:00:00Z"})
    assert (output["status"], output["listed"], output["planned"]) == ("complete", 0, 0)


def test_an_alert_that_was_sent_is_not_new_the_next_time(back: RecoveryHarness) -> None:
    def is_new(alert: str, **sent: bool) -> bool:
        response = back.stack.aws_client("lambda").invoke(
            FunctionName=back.stack.outputs["LeaseFunctionName"], Payload=json.dumps({"alert": alert, **sent})
        )
        return bool(json.loads(response["Payload"].read())["is_new"])

    assert [is_new("incomplete a"), is_new("incomplete a")] == [True, True]
    is_new("incomplete a", sent=True)
    assert [is_new("incomplete a"), is_new("incomplete b")] == [False, True]


def park_batches(back: RecoveryHarness, machine: httpx.Client, prefix: str) -> Versions:
    """Write while the primary is down until loads have given up; the primary stays down."""
    back.stack.pair.primary.kill()
    before = len(back.list_executions("Load", "FAILED"))
    versions: Versions = {}
    for number in range(3):
        versions |= put_airports(machine, prefix, range(5 * number, 5 * number + 5))
        eventually(partial(_more_failed, back, before + number))
    return versions


def _more_failed(back: RecoveryHarness, than: int) -> bool:
    return len(back.list_executions("Load", "FAILED")) > than


def test_parked_batches_ring_the_alarm_and_are_loaded_with_nobody_acting(
    back: RecoveryHarness, machine: httpx.Client
) -> None:
    before = len(back.list_executions("Recover"))
    with back.limit_load_retries():
        versions = park_batches(back, machine, "RG")
        started = eventually(lambda: back.list_executions("Recover")[: len(back.list_executions("Recover")) - before])
    late = back.start_workflow("Recover", {"trigger": "operator"})
    assert back.wait_for_output(late) == {"outcome": "already_running", "holder": started[-1]["executionArn"]}
    back.stack.pair.start()
    output = back.wait_for_output(started[-1]["executionArn"], 150)
    assert output["outcome"] == "recovered"
    assert output["replay"]["planned"] >= 3
    assert output["replay"]["remaining"] == 0
    assert output["database"]["primary"]["accepts_writes"]
    assert output["waited"] > 0
    assert back.read_versions("RG") == versions


def test_without_the_alarm_the_schedule_does_it(back: RecoveryHarness, machine: httpx.Client) -> None:
    with back.disable_rules("BatchesParked"):
        with back.limit_load_retries():
            versions = park_batches(back, machine, "RH")
        back.stack.pair.start()
        eventually(lambda: back.count_missing() >= 3)
        assert back.list_executions("Recover", "RUNNING") == []
        [target] = back.events.list_targets_by_rule(Rule=back.find_rule_name("RecoverySchedule"))["Targets"]
        assert target["Arn"] == back.stack.outputs["RecoverStateMachineArn"]

        outputs: list[dict[str, Any]] = []

        def recovered() -> bool:
            """Whether the schedule's next run was the last that was needed: it leaves young batches alone."""
            outputs.append(back.wait_for_output(back.start_workflow("Recover", json.loads(target["Input"])), 150))
            return outputs[-1]["outcome"] == "recovered" and back.read_versions("RH") == versions

        eventually(recovered)
    assert outputs[-1]["replay"]["request"]["min_age"] == 10
    assert outputs[-1]["replay"]["remaining"] == 0
    assert sum(output["replay"]["planned"] for output in outputs) >= 3
    quiet = back.wait_for_output(back.start_workflow("Recover", json.loads(target["Input"])))
    assert quiet["outcome"] == "nothing_missing"
    assert quiet["replay"]["seconds"] < 10


def test_the_archive_brings_back_what_the_batches_lost(
    back: RecoveryHarness, of_old: Versions, primary: Any, stack: Stack
) -> None:
    RebuildHarness(stack).wait_until_archived(of_old)
    ledger = back.read_ledger()
    with primary.cursor() as cursor:
        cursor.execute("DELETE FROM airports WHERE id LIKE 'RI%'")
    output = back.run_replay(source="archive")
    assert (output["status"], output["request"]["mode"]) == ("complete", "all")
    assert output["planned"] == output["loaded"] > 0
    assert back.read_versions("RI") == of_old
    assert back.read_ledger() == ledger
