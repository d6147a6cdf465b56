"""The primary is killed under 10,000 writes, for longer than a load retries. Recovery then needs no operator."""

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
def every_minute(back: RecoveryHarness) -> Iterator[None]:
    """Run the schedule every minute, the shortest interval of EventBridge."""
    name = back.find_rule_name("RecoverySchedule")
    before = back.events.describe_rule(Name=name)["ScheduleExpression"]
    back.events.put_rule(Name=name, ScheduleExpression="rate(1 minute)")
    try:
        yield
    finally:
        back.events.put_rule(Name=name, ScheduleExpression=before)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("trigger", ["alarm", "schedule"])
def test_batches_parked_in_an_outage_are_loaded_without_an_operator(
    stack: Stack, back: RecoveryHarness, traffic: Callable[[str], Traffic], alerts: Alerts, trigger: str
) -> None:
    writes, retry_seconds = traffic("X" if trigger == "alarm" else "Y"), _retry_seconds(back)
    assert retry_seconds > 450
    seen = {one["executionArn"] for workflow in ("Load", "Recover") for one in back.list_executions(workflow)}
    with ExitStack() as contexts:
        if trigger == "alarm":
            contexts.enter_context(back.disable_rules("RecoverySchedule"))
        else:
            contexts.enter_context(back.disable_rules("BatchesParked"))
            contexts.enter_context(every_minute(back))
        began = datetime.datetime.now(datetime.UTC)
        stack.pair.primary.kill()
        killed = time.monotonic()
        writes.write(WRITES)
        wrote = time.monotonic() - killed
        # The last batch is delivered soon after the last write. Its load retries for at most this time.
        parked = eventually(lambda: _all_parked(back, seen, began), retry_seconds + 120)
        eventually(lambda: time.monotonic() - killed > wrote + retry_seconds, retry_seconds)
        assert _all_parked(back, seen, began) == parked
        down = time.monotonic() - killed
        stack.pair.start()
        back_up = time.monotonic()
        with stack.pair.primary.connect(*stack.pair.admin_credentials, database="sluice", autocommit=True) as primary:
            eventually(lambda: writes.found(primary) == writes.rows, 300)
        took = time.monotonic() - back_up
        reports = eventually(lambda: _reports(back, seen), 120)
    recovered = [message for message in alerts() if message["Subject"] == "Sluice: recovered"]
    print(
        f"\n{trigger}: {writes.accepted:,} writes to {len(writes.rows):,} items accepted in {wrote:.0f} s without a "
        f"primary, which was unavailable for {down:.0f} s (a load retries for {retry_seconds:.0f} s at most); "
        f"{parked} batches parked; every row was right {took:.0f} s after the primary came back. The alert:\n  "
        + "\n  ".join(message["Message"] for message in recovered)
    )
    assert writes.accepted == WRITES
    assert sum(report["replay"]["planned"] for report in reports) == parked
    assert {report["replay"]["remaining"] for report in reports} == {0}
    assert [message["Message"].split(":")[0] for message in recovered] == [f"{parked} batches were missing"]
    stack.pair.wait_for_replica()
    with stack.pair.replica.connect(*stack.pair.admin_credentials, database="sluice", autocommit=True) as replica:
        assert writes.found(replica) == writes.rows


def _retry_seconds(back: RecoveryHarness) -> float:
    """The longest time in seconds for which the deployed load_batch retries an unavailable database."""
    machine = back.stack.outputs["LoadStateMachineArn"]
    deployed = json.loads(back.states.describe_state_machine(stateMachineArn=machine)["definition"])
    retrier = next(one for one in deployed["States"]["Load"]["Retry"] if "DatabaseUnavailable" in one["ErrorEquals"])
    return longest(retrier)


def _all_parked(back: RecoveryHarness, seen: set[str], since: datetime.datetime) -> int | None:
    """The number of parked batches, as soon as every batch delivered since `since` is parked."""
    pages = back.s3.get_paginator("list_objects_v2").paginate(Bucket=back.bucket, Prefix="batches/")
    since -= datetime.timedelta(seconds=1)  # S3's times are whole seconds
    delivered = sum(one["LastModified"] >= since for page in pages for one in page.get("Contents", []))
    loads = [one for one in back.list_executions("Load") if one["executionArn"] not in seen]
    ended = sum(one["status"] == "FAILED" for one in loads)
    return delivered if delivered and ended == len(loads) == delivered else None


def _reports(back: RecoveryHarness, seen: set[str]) -> list[dict[str, Any]]:
    """The outputs of the recoveries that loaded batches."""
    arns = [one["executionArn"] for one in back.list_executions("Recover") if one["executionArn"] not in seen]
    ended = [back.states.describe_execution(executionArn=arn) for arn in arns]
    outputs = [json.loads(one["output"]) for one in ended if one["status"] == "SUCCEEDED"]
    return [output for output in outputs if output["outcome"] == "recovered"]
