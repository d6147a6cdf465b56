"""Replays at the same time, under live traffic, and killed half-way. The rows equal those of the model."""

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
Make = Callable[[str], Traffic]


@pytest.fixture(autouse=True)
def _nothing_else_replays(back: RecoveryHarness) -> Iterator[None]:
    with back.disable_rules("RecoverySchedule", "BatchesParked"):
        yield


def unloaded(back: RecoveryHarness, writes: Traffic) -> list[str]:
    """Write while loads are disabled, and return the new batches in order."""
    before, accepted = batches.keys(back), writes.accepted
    with back.disable_rules("BatchDelivered"):
        writes.write(WRITES)
        return sorted(batches.all_delivered(back, before, writes.accepted - accepted))


def test_two_replays_at_the_same_time(stack: Stack, back: RecoveryHarness, traffic: Make, primary: Any) -> None:
    writes = traffic("A")
    missing = unloaded(back, writes)
    # Both have planned the same batches before the first of these is loaded.
    with held(stack, missing[:2]):
        both = [back.start_workflow("Replay", {}) for _ in range(2)]
        eventually(lambda: all(_counts(back, one).get("running") for one in both))
    outputs = [back.wait_for_output(one) for one in both]
    loaded = [output["loaded"] for output in outputs]
    met = [output["already_loaded"] for output in outputs]
    print(f"\ntwo at once: {len(missing)} batches missing; loaded by each: {loaded}, met as loaded already: {met}")
    assert [output["status"] for output in outputs] == ["complete"] * 2
    assert sum(loaded) == sum(met) == len(missing)
    assert writes.found(primary) == writes.rows


def test_a_replay_during_live_traffic(back: RecoveryHarness, sluice: Operator, traffic: Make, primary: Any) -> None:
    """The clients keep writing to the items of the replay, so that later writes may be loaded first."""
    writes = traffic("B")
    missing = unloaded(back, writes)
    with writes.meanwhile():
        before = writes.accepted
        output = sluice("replay", "--wait", "--json").document
        meanwhile = writes.accepted - before
    eventually(lambda: writes.found(primary) == writes.rows)
    print(
        f"\nin traffic: {len(missing)} batches missing, {output['planned']} planned, {output['stale']:,} of their "
        f"writes lost to later ones; {meanwhile} writes accepted while it ran"
    )
    assert (output["status"], output["remaining"]) == ("complete", 0)
    assert output["planned"] >= len(missing)
    assert meanwhile > 0
    assert back.count_missing() == 0


def test_a_replay_killed_half_way_is_run_again(
    stack: Stack, back: RecoveryHarness, sluice: Operator, traffic: Make, primary: Any
) -> None:
    writes = traffic("C")
    missing = unloaded(back, writes)
    middle = missing[len(missing) // 2 :][:2]
    with held(stack, middle):
        execution = back.start_workflow("Replay", {})
        # Its two loads at a time wait for the two in the middle: those before are loaded, those behind have not begun.
        eventually(lambda: _entering(primary) == len(middle))
        back.states.stop_execution(executionArn=execution)
        counts = _counts(back, execution)
    assert back.wait_until_ended(execution)["status"] == "ABORTED"
    # What had begun goes on to its end, as in Lambda.
    eventually(lambda: set(middle) <= back.read_ledger())
    output = sluice("replay", "--wait", "--json").document
    print(
        f"\nkilled: {len(missing)} batches missing; stopped after {counts['succeeded']}, with {counts['pending']} not "
        f"begun; the next replay loaded {output['loaded']}"
    )
    assert counts["succeeded"] > 2
    assert counts["pending"] > 0
    assert (output["status"], output["loaded"], output["remaining"]) == ("complete", counts["pending"], 0)
    assert writes.found(primary) == writes.rows


@contextmanager
def held(stack: Stack, keys: list[str]) -> Iterator[None]:
    """A while in which the loads of some batches wait: somebody else is about to enter them in the ledger."""
    with (
        stack.pair.primary.connect(*stack.pair.admin_credentials, database="sluice") as other,
        other.cursor() as cursor,
    ):
        for key in keys:
            found = stack.aws_client("s3").head_object(Bucket=stack.outputs["BatchBucketName"], Key=key)
            cursor.execute(
                "INSERT INTO loaded_batches VALUES (%s, %s, 0, 0, 0, 0, UTC_TIMESTAMP(6))", (key, found["ETag"][1:-1])
            )
        yield
        other.rollback()


def _entering(primary: Any) -> int:
    """How many loads wait to enter their batch in the ledger."""
    with primary.cursor() as cursor:
        cursor.execute(
            "SELECT COUNT(*) FROM information_schema.processlist "
            "WHERE info LIKE 'INSERT INTO loaded_batches%' AND user LIKE '%\\_loader'"
        )
        return int(cursor.fetchone()[0])


def _counts(back: RecoveryHarness, execution: str) -> dict[str, int]:
    runs = back.states.list_map_runs(executionArn=execution)["mapRuns"]
    return dict(back.states.describe_map_run(mapRunArn=runs[0]["mapRunArn"])["itemCounts"]) if runs else {}


def test_a_dry_run_changes_nothing(back: RecoveryHarness, sluice: Operator, traffic: Make) -> None:
    writes = traffic("D")
    missing = unloaded(back, writes)
    before = back.read_checksums()
    said = sluice("replay", "--dry-run")
    after = back.read_checksums()
    print(f"\n{said.stdout}")
    assert said.stdout.startswith(f"dry run: {len(missing)} batches would be loaded; nothing was changed\n")
    assert after == before
    assert back.count_missing() == len(missing)
    assert sluice("replay", "--wait", "--json").document["loaded"] == len(missing)
    assert back.read_checksums() != before
