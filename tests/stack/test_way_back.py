"""Replay and recover on the deployed stack."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.stack import Stack
from tests.stack.dumping import dump, load
from tests.stack.rebuilding import Rebuilding
from tests.stack.samples import airport
from tests.stack.waiting import eventually
from tests.stack.way_back import Versions, WayBack


@pytest.fixture(scope="module")
def back(stack: Stack) -> WayBack:
    return WayBack(stack)


@pytest.fixture(autouse=True)
def whole(back: WayBack) -> Iterator[None]:
    """Every test begins and ends with nothing missing."""
    yield
    back.stack.pair.start()
    eventually(lambda: back.replay()["status"] == "complete")


def put(machine: httpx.Client, prefix: str, numbers: range) -> Versions:
    versions = {}
    for number in numbers:
        code = f"{prefix}{number:02}"
        answer = machine.put(f"/v1/airports/{code}", json=airport(code))
        assert answer.status_code == 202
        versions[code] = answer.json()["version"]
    return versions


@pytest.fixture(scope="module", autouse=True)
def of_old(stack: Stack, back: WayBack, machine_token: str) -> Versions:
    """Written first: the archive has the source records a minute later, which is the shortest that Firehose buffers."""
    headers = {"Authorization": f"Bearer {machine_token}"}
    with httpx.Client(base_url=stack.api_url, headers=headers, timeout=60, trust_env=False) as machine:
        versions = put(machine, "RI", range(5))
    eventually(lambda: back.tables("RI") == versions)
    return versions


def test_what_the_ledger_lacks_is_loaded_and_a_second_run_loads_nothing(back: WayBack) -> None:
    versions = back.batches("RA", 5)
    assert back.missing() == 5
    output = back.replay()
    assert (output["status"], output["planned"], output["loaded"]) == ("complete", 5, 5)
    assert (output["remaining"], output["failed"], output["rejected"]) == (0, 0, 0)
    assert back.tables("RA") == versions
    assert back.missing() == 0
    report = back.s3.get_object(Bucket=output["report"]["bucket"], Key=output["report"]["key"])["Body"].read()
    assert json.loads(report) == output
    again = back.replay()
    assert (again["status"], again["planned"], again["loaded"]) == ("complete", 0, 0)


def test_a_dry_run_says_what_it_would_do_and_changes_nothing(back: WayBack) -> None:
    back.batches("RB", 3)
    before = back.ledger()
    output = back.replay(dry_run=True)
    assert (output["status"], output["planned"], output["loaded"]) == ("planned", 3, 0)
    assert output["bytes"] > 0
    assert output["oldest"] is not None
    assert back.ledger() == before
    assert back.tables("RB") == {}
    assert back.missing() == 3


def test_two_replays_at_once_load_everything_once(back: WayBack) -> None:
    versions = back.batches("RC", 8)
    outputs = [back.output(one) for one in [back.start("Replay", {}), back.start("Replay", {})]]
    assert [output["status"] for output in outputs] == ["complete"] * 2
    assert sum(output["loaded"] for output in outputs) == 8
    assert back.tables("RC") == versions


def test_a_replay_killed_on_the_way_is_run_again(back: WayBack, primary: Any) -> None:
    versions = back.batches("RD", 1)
    back.replay()
    versions |= back.batches("RD", 6)
    with primary.cursor() as cursor:
        cursor.execute("START TRANSACTION")
        # Loads wait for it, so that the replay is stopped in the middle.
        cursor.execute("SELECT 1 FROM airports WHERE id = 'RD02' FOR UPDATE")
        execution = back.start("Replay", {})
        runs = eventually(lambda: back.states.list_map_runs(executionArn=execution)["mapRuns"])
        eventually(lambda: _counts(back, runs[0])["running"])
        back.states.stop_execution(executionArn=execution)
        cursor.execute("ROLLBACK")
    assert back.ended(execution)["status"] == "ABORTED"
    assert _counts(back, runs[0])["pending"] > 0
    output = back.replay()
    assert output["status"] == "complete"
    assert 0 < output["planned"] <= 6
    assert back.tables("RD") == versions


def _counts(back: WayBack, run: dict[str, Any]) -> dict[str, int]:
    return dict(back.states.describe_map_run(mapRunArn=run["mapRunArn"])["itemCounts"])


def test_a_replay_during_traffic_ends_and_later_writes_win(back: WayBack, machine: httpx.Client) -> None:
    versions = back.batches("RJ", 8)
    execution = back.start("Replay", {})
    versions |= put(machine, "RJ", range(9))
    output = back.output(execution)
    assert (output["status"], output["remaining"]) == ("complete", 0)
    assert output["planned"] >= 8
    eventually(lambda: back.tables("RJ") == versions)


def test_a_restored_dump_lacks_just_what_came_after_it(
    stack: Stack, back: WayBack, replica: Any, tmp_path: Path
) -> None:
    versions = back.batches("RK", 2)
    back.replay()
    dump(stack, tmp_path / "sluice.sql")
    versions |= back.batches("RK", 3)
    back.replay()
    load(stack, tmp_path / "sluice.sql")
    assert back.missing() == 3
    output = back.replay()
    assert (output["status"], output["planned"], output["loaded"]) == ("complete", 3, 3)
    assert back.tables("RK") == versions
    assert back.replay()["planned"] == 0
    stack.pair.wait_for_replica()
    with replica.cursor() as cursor:
        cursor.execute("SELECT id, version FROM airports WHERE id LIKE 'RK%'")
        assert dict(cursor.fetchall()) == versions


def test_all_applies_again_what_a_table_lost(back: WayBack, primary: Any) -> None:
    versions = back.batches("RE", 3)
    back.replay()
    with primary.cursor() as cursor:
        cursor.execute("DELETE FROM airports WHERE id LIKE 'RE%'")
    assert back.replay()["planned"] == 0
    output = back.replay(mode="all", collections=["bookings"])
    assert output["status"] == "complete"
    assert back.tables("RE") == {}
    output = back.replay(mode="all")
    assert (output["status"], output["failed"]) == ("complete", 0)
    assert output["planned"] == output["loaded"] >= 3
    assert back.tables("RE") == versions


def test_a_batch_that_cannot_be_read_is_quarantined_once_and_the_others_are_loaded(back: WayBack) -> None:
    versions = back.batches("RF", 2)
    key = "batches/2026/01/01/00/test-unreadable.jsonl.gz"
    with back.without("BatchDelivered"):
        back.s3.put_object(Bucket=back.bucket, Key=key, Body=b"no batch")
    output = back.replay()
    assert (output["status"], output["planned"], output["loaded"], output["quarantined"]) == ("complete", 3, 2, 1)
    assert back.tables("RF") == versions
    assert back.s3.head_object(Bucket=back.bucket, Key=f"quarantine/{key}")
    assert back.replay()["planned"] == 0
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
def test_a_wrong_input_is_answered_with_a_sentence(back: WayBack, given: Any, error: str, says: str) -> None:
    ended = back.ended(back.start("Replay", given))
    assert (ended["status"], ended["error"]) == ("FAILED", error)
    assert says in json.loads(ended["cause"])["errorMessage"]


def test_a_window_without_batches_is_nothing(back: WayBack) -> None:
    output = back.replay(**{"from": "2020-01-01T00:00:00Z", "to": "2020-01-02T00:00:00Z"})
    assert (output["status"], output["listed"], output["planned"]) == ("complete", 0, 0)


def test_an_alert_that_was_sent_is_not_new_the_next_time(back: WayBack) -> None:
    def is_new(alert: str, **sent: bool) -> bool:
        response = back.stack.aws_client("lambda").invoke(
            FunctionName=back.stack.outputs["LeaseFunctionName"], Payload=json.dumps({"alert": alert, **sent})
        )
        return bool(json.loads(response["Payload"].read())["is_new"])

    assert [is_new("incomplete a"), is_new("incomplete a")] == [True, True]
    is_new("incomplete a", sent=True)
    assert [is_new("incomplete a"), is_new("incomplete b")] == [False, True]


def parked(back: WayBack, machine: httpx.Client, prefix: str) -> Versions:
    """Write while the primary is down until loads have given up; the primary stays down."""
    back.stack.pair.primary.kill()
    before = len(back.executions("Load", "FAILED"))
    versions: Versions = {}
    for number in range(3):
        versions |= put(machine, prefix, range(5 * number, 5 * number + 5))
        eventually(partial(_more_failed, back, before + number))
    return versions


def _more_failed(back: WayBack, than: int) -> bool:
    return len(back.executions("Load", "FAILED")) > than


def test_parked_batches_ring_the_alarm_and_are_loaded_with_nobody_acting(back: WayBack, machine: httpx.Client) -> None:
    before = len(back.executions("Recover"))
    with back.hasty_loads():
        versions = parked(back, machine, "RG")
        started = eventually(lambda: back.executions("Recover")[: len(back.executions("Recover")) - before])
    late = back.start("Recover", {"trigger": "operator"})
    assert back.output(late) == {"outcome": "already_running", "holder": started[-1]["executionArn"]}
    back.stack.pair.start()
    output = back.output(started[-1]["executionArn"], 150)
    assert output["outcome"] == "recovered"
    assert output["replay"]["planned"] >= 3
    assert output["replay"]["remaining"] == 0
    assert output["database"]["primary"]["accepts_writes"]
    assert output["waited"] > 0
    assert back.tables("RG") == versions


def test_without_the_alarm_the_schedule_does_it(back: WayBack, machine: httpx.Client) -> None:
    with back.without("BatchesParked"):
        with back.hasty_loads():
            versions = parked(back, machine, "RH")
        back.stack.pair.start()
        eventually(lambda: back.missing() >= 3)
        assert back.executions("Recover", "RUNNING") == []
        [target] = back.events.list_targets_by_rule(Rule=back.rule("RecoverySchedule"))["Targets"]
        assert target["Arn"] == back.stack.outputs["RecoverStateMachineArn"]

        outputs: list[dict[str, Any]] = []

        def recovered() -> bool:
            """Whether the schedule's next run was the last that was needed: it leaves young batches alone."""
            outputs.append(back.output(back.start("Recover", json.loads(target["Input"])), 150))
            return outputs[-1]["outcome"] == "recovered" and back.tables("RH") == versions

        eventually(recovered)
    assert outputs[-1]["replay"]["request"]["min_age"] == 10
    assert outputs[-1]["replay"]["remaining"] == 0
    assert sum(output["replay"]["planned"] for output in outputs) >= 3
    quiet = back.output(back.start("Recover", json.loads(target["Input"])))
    assert quiet["outcome"] == "nothing_missing"
    assert quiet["replay"]["seconds"] < 10


def test_the_archive_brings_back_what_the_batches_lost(
    back: WayBack, of_old: Versions, primary: Any, stack: Stack
) -> None:
    Rebuilding(stack).archived(of_old)
    ledger = back.ledger()
    with primary.cursor() as cursor:
        cursor.execute("DELETE FROM airports WHERE id LIKE 'RI%'")
    output = back.replay(source="archive")
    assert (output["status"], output["request"]["mode"]) == ("complete", "all")
    assert output["planned"] == output["loaded"] > 0
    assert back.tables("RI") == of_old
    assert back.ledger() == ledger
