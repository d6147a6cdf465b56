"""Concurrent replays, a replay during live traffic, and a stopped replay. The rows equal those of the model."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from local.stack import Stack
from tests.drill import batches
from tests.drill.traffic import Traffic
from tests.stack.operator import Operator
from tests.stack.recovery_harness import RecoveryHarness
from tests.stack.waiting import eventually

WRITES = 3_000
CreateTraffic = Callable[[str], Traffic]


@pytest.fixture(autouse=True)
def _disable_other_replays(recovery: RecoveryHarness) -> Iterator[None]:
    with recovery.disable_rules("RecoverySchedule", "BatchesParked"):
        yield


def write_unloaded(recovery: RecoveryHarness, writes: Traffic) -> list[str]:
    """Write while loads are disabled, and return the keys of the new batches in order."""
    before, accepted = batches.list_keys(recovery), writes.accepted
    with recovery.disable_rules("BatchDelivered"):
        writes.write(WRITES)
        return sorted(batches.wait_for_delivery(recovery, before, writes.accepted - accepted))


def test_two_replays_at_the_same_time(
    stack: Stack, recovery: RecoveryHarness, traffic: CreateTraffic, primary: Any
) -> None:
    writes = traffic("A")
    missing = write_unloaded(recovery, writes)
    # Both have planned the same batches before the first of these is loaded.
    with lock_batches(stack, missing[:2]):
        executions = [recovery.start_workflow("Replay", {}) for _ in range(2)]
        eventually(lambda: all(_read_counts(recovery, execution).get("running") for execution in executions))
    outputs = [recovery.wait_for_output(execution) for execution in executions]
    loaded = [output["loaded"] for output in outputs]
    already_loaded = [output["already_loaded"] for output in outputs]
    print(
        f"\ntwo at once: {len(missing)} batches missing; loaded by each: {loaded}, "
        f"skipped as already loaded: {already_loaded}"
    )
    assert [output["status"] for output in outputs] == ["complete"] * 2
    assert sum(loaded) == sum(already_loaded) == len(missing)
    assert writes.read_rows(primary) == writes.rows


def test_a_replay_during_live_traffic(
    recovery: RecoveryHarness, sluice: Operator, traffic: CreateTraffic, primary: Any
) -> None:
    """The clients keep writing to the items of the replay, so that later writes may be loaded first."""
    writes = traffic("B")
    missing = write_unloaded(recovery, writes)
    with writes.write_continuously():
        before = writes.accepted
        output = sluice("replay", "--wait", "--json").document
        meanwhile = writes.accepted - before
    eventually(lambda: writes.read_rows(primary) == writes.rows)
    print(
        f"\nin traffic: {len(missing)} batches missing, {output['planned']} planned, {output['stale']:,} of their "
        f"writes lost to later ones; {meanwhile} writes accepted while it ran"
    )
    assert (output["status"], output["remaining"]) == ("complete", 0)
    assert output["planned"] >= len(missing)
    assert meanwhile > 0
    assert recovery.count_missing() == 0


def test_a_replay_killed_half_way_is_completed_by_the_next_replay(
    stack: Stack, recovery: RecoveryHarness, sluice: Operator, traffic: CreateTraffic, primary: Any
) -> None:
    writes = traffic("C")
    missing = write_unloaded(recovery, writes)
    blocked = missing[len(missing) // 2 :][:2]
    with lock_batches(stack, blocked):
        execution = recovery.start_workflow("Replay", {})
        # Its two loads at a time wait for the two in the middle: earlier ones are loaded, later ones have not begun.
        eventually(lambda: _count_waiting_loads(primary) == len(blocked))
        recovery.states.stop_execution(executionArn=execution)
        counts = _read_counts(recovery, execution)
    assert recovery.wait_until_ended(execution)["status"] == "ABORTED"
    # Loads that had begun run to their end, as in Lambda.
    eventually(lambda: set(blocked) <= recovery.read_ledger())
    output = sluice("replay", "--wait", "--json").document
    print(
        f"\nkilled: {len(missing)} batches missing; stopped after {counts['succeeded']}, with {counts['pending']} not "
        f"begun; the next replay loaded {output['loaded']}"
    )
    assert counts["succeeded"] > 2
    assert counts["pending"] > 0
    assert (output["status"], output["loaded"], output["remaining"]) == ("complete", counts["pending"], 0)
    assert writes.read_rows(primary) == writes.rows


@contextmanager
def lock_batches(stack: Stack, keys: list[str]) -> Iterator[None]:
    """Block the loads of some batches: another session has uncommitted ledger entries for them."""
    with (
        stack.servers.primary.connect(*stack.servers.admin_credentials, database="sluice") as other,
        other.cursor() as cursor,
    ):
        for key in keys:
            head = stack.aws_client("s3").head_object(Bucket=stack.outputs["BatchBucketName"], Key=key)
            cursor.execute(
                "INSERT INTO loaded_batches VALUES (%s, %s, 0, 0, 0, 0, UTC_TIMESTAMP(6))", (key, head["ETag"][1:-1])
            )
        yield
        other.rollback()


def _count_waiting_loads(primary: Any) -> int:
    """Count the loads that wait to enter their batch in the ledger."""
    with primary.cursor() as cursor:
        cursor.execute(
            "SELECT COUNT(*) FROM information_schema.processlist "
            "WHERE info LIKE 'INSERT INTO loaded_batches%' AND user LIKE '%\\_loader'"
        )
        return int(cursor.fetchone()[0])


def _read_counts(recovery: RecoveryHarness, execution: str) -> dict[str, int]:
    runs = recovery.states.list_map_runs(executionArn=execution)["mapRuns"]
    return dict(recovery.states.describe_map_run(mapRunArn=runs[0]["mapRunArn"])["itemCounts"]) if runs else {}


def test_a_dry_run_changes_nothing(recovery: RecoveryHarness, sluice: Operator, traffic: CreateTraffic) -> None:
    writes = traffic("D")
    missing = write_unloaded(recovery, writes)
    before = recovery.read_checksums()
    result = sluice("replay", "--dry-run")
    after = recovery.read_checksums()
    print(f"\n{result.stdout}")
    assert result.stdout.startswith(f"dry run: {len(missing)} batches would be loaded; nothing was changed\n")
    assert after == before
    assert recovery.count_missing() == len(missing)
    assert sluice("replay", "--wait", "--json").document["loaded"] == len(missing)
    assert recovery.read_checksums() != before
