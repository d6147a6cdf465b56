"""The primary is unavailable during 10,000 writes, for longer than a load retries. The recovery needs no operator."""

import datetime
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from local.stack import Stack
from tests.drill.traffic import Traffic
from tests.stack.recovery_harness import RecoveryHarness
from tests.stack.waiting import eventually
from tests.template.test_load_batch_retries import longest

WRITES = 10_000
Alerts = Callable[[], list[dict[str, str]]]


@contextmanager
def run_schedule_every_minute(recovery: RecoveryHarness) -> Iterator[None]:
    """Run the schedule every minute, the shortest interval of EventBridge."""
    name = recovery.find_rule_name("RecoverySchedule")
    before = recovery.events.describe_rule(Name=name)["ScheduleExpression"]
    recovery.events.put_rule(Name=name, ScheduleExpression="rate(1 minute)")
    try:
        yield
    finally:
        recovery.events.put_rule(Name=name, ScheduleExpression=before)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("trigger", ["alarm", "schedule"])
def test_batches_parked_in_an_outage_are_loaded_without_an_operator(
    stack: Stack, recovery: RecoveryHarness, traffic: Callable[[str], Traffic], alerts: Alerts, trigger: str
) -> None:
    writes, retry_seconds = traffic("X" if trigger == "alarm" else "Y"), _retry_seconds(recovery)
    assert retry_seconds > 450
    seen = {
        execution["executionArn"]
        for workflow in ("Load", "Recover")
        for execution in recovery.list_executions(workflow)
    }
    with ExitStack() as contexts:
        if trigger == "alarm":
            contexts.enter_context(recovery.disable_rules("RecoverySchedule"))
        else:
            contexts.enter_context(recovery.disable_rules("BatchesParked"))
            contexts.enter_context(run_schedule_every_minute(recovery))
        began = datetime.datetime.now(datetime.UTC)
        stack.servers.primary.kill()
        killed = time.monotonic()
        writes.write(WRITES)
        write_seconds = time.monotonic() - killed
        # The last batch is delivered soon after the last write. Its load retries for at most this time.
        parked = eventually(lambda: _count_parked(recovery, seen, began), retry_seconds + 120)
        eventually(lambda: time.monotonic() - killed > write_seconds + retry_seconds, retry_seconds)
        assert _count_parked(recovery, seen, began) == parked
        outage_seconds = time.monotonic() - killed
        stack.servers.start()
        restarted_at = time.monotonic()
        with stack.servers.primary.connect(
            *stack.servers.admin_credentials, database="sluice", autocommit=True
        ) as primary:
            eventually(lambda: writes.read_rows(primary) == writes.rows, 300)
        recovery_seconds = time.monotonic() - restarted_at
        reports = eventually(lambda: _read_reports(recovery, seen), 120)
    recovered = [message for message in alerts() if message["Subject"] == "Sluice: recovered"]
    print(
        f"\n{trigger}: {writes.accepted:,} writes to {len(writes.rows):,} items accepted in {write_seconds:.0f} s "
        f"without a primary, which was unavailable for {outage_seconds:.0f} s "
        f"(a load retries for {retry_seconds:.0f} s at most); "
        f"{parked} batches parked; every row was correct {recovery_seconds:.0f} s after the primary restarted. "
        "The alert:\n  " + "\n  ".join(message["Message"] for message in recovered)
    )
    assert writes.accepted == WRITES
    assert sum(report["replay"]["planned"] for report in reports) == parked
    assert {report["replay"]["remaining"] for report in reports} == {0}
    assert [message["Message"].split(":")[0] for message in recovered] == [f"{parked} batches were missing"]
    stack.servers.wait_for_replicas()
    with stack.servers.replica.connect(*stack.servers.admin_credentials, database="sluice", autocommit=True) as replica:
        assert writes.read_rows(replica) == writes.rows


def _retry_seconds(recovery: RecoveryHarness) -> float:
    """Return the longest time in seconds for which the deployed load_batch retries an unavailable database."""
    machine = recovery.stack.outputs["LoadStateMachineArn"]
    deployed = json.loads(recovery.states.describe_state_machine(stateMachineArn=machine)["definition"])
    retrier = next(
        retrier for retrier in deployed["States"]["Load"]["Retry"] if "DatabaseUnavailable" in retrier["ErrorEquals"]
    )
    return longest(retrier)


def _count_parked(recovery: RecoveryHarness, seen: set[str], since: datetime.datetime) -> int | None:
    """Return the number of parked batches if every batch delivered since `since` is parked, else None."""
    pages = recovery.s3.get_paginator("list_objects_v2").paginate(Bucket=recovery.bucket, Prefix="batches/")
    since -= datetime.timedelta(seconds=1)  # S3's times are whole seconds
    delivered = sum(entry["LastModified"] >= since for page in pages for entry in page.get("Contents", []))
    loads = [execution for execution in recovery.list_executions("Load") if execution["executionArn"] not in seen]
    ended = sum(execution["status"] == "FAILED" for execution in loads)
    return delivered if delivered and ended == len(loads) == delivered else None


def _read_reports(recovery: RecoveryHarness, seen: set[str]) -> list[dict[str, Any]]:
    """Read the outputs of the recoveries that loaded batches."""
    arns = [
        execution["executionArn"]
        for execution in recovery.list_executions("Recover")
        if execution["executionArn"] not in seen
    ]
    ended = [recovery.states.describe_execution(executionArn=arn) for arn in arns]
    outputs = [json.loads(execution["output"]) for execution in ended if execution["status"] == "SUCCEEDED"]
    return [output for output in outputs if output["outcome"] == "recovered"]
