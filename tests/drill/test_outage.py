"""The primary killed under 10,000 writes, for longer than a load tries; afterwards nobody acts."""

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
    """A while in which the schedule runs as often as EventBridge can."""
    name = back.find_rule_name("RecoverySchedule")
    before = back.events.describe_rule(Name=name)["ScheduleExpression"]
    back.events.put_rule(Name=name, ScheduleExpression="rate(1 minute)")
    try:
        yield
    finally:
        back.events.put_rule(Name=name, ScheduleExpression=before)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("trigger", ["alarm", "schedule"])
def test_what_parked_in_an_outage_is_loaded_with_nobody_acting(
    stack: Stack, back: RecoveryHarness, traffic: Callable[[str], Traffic], alerts: Alerts, trigger: str
) -> None:
    writes, patience = traffic("X" if trigger == "alarm" else "Y"), _patience(back)
    assert patience > 450
    seen = {one["executionArn"] for workflow in ("Load", "Recover") for one in back.list_executions(workflow)}
    with ExitStack() as while_:
        if trigger == "alarm":
            while_.enter_context(back.disable_rules("RecoverySchedule"))
        else:
            while_.enter_context(back.disable_rules("BatchesParked"))
            while_.enter_context(every_minute(back))
        began = datetime.datetime.now(datetime.UTC)
        stack.pair.primary.kill()
        killed = time.monotonic()
        writes.write(WRITES)
        wrote = time.monotonic() - killed
        # The last batch is delivered soon after the last write; its load tries for so long at most.
        parked = eventually(lambda: _all_parked(back, seen, began), patience + 120)
        eventually(lambda: time.monotonic() - killed > wrote + patience, patience)
        assert _all_parked(back, seen, began) == parked
        down = time.monotonic() - killed
        stack.pair.start()
        back_up = time.monotonic()
        with stack.pair.primary.connect(*stack.pair.admin_credentials, database="sluice", autocommit=True) as primary:
            eventually(lambda: writes.found(primary) == writes.rows, 300)
        took = time.monotonic() - back_up
        reports = eventually(lambda: _reports(back, seen), 120)
    told = [message for message in alerts() if message["Subject"] == "Sluice: recovered"]
    print(
        f"\n{trigger}: {writes.accepted:,} writes to {len(writes.rows):,} items accepted in {wrote:.0f} s without a "
        f"primary, which was away for {down:.0f} s (a load tries for {patience:.0f} s at most); {parked} batches "
        f"parked; every row was right {took:.0f} s after the primary came back. The alert:\n  "
        + "\n  ".join(message["Message"] for message in told)
    )
    assert writes.accepted == WRITES
    assert sum(report["replay"]["planned"] for report in reports) == parked
    assert {report["replay"]["remaining"] for report in reports} == {0}
    assert [message["Message"].split(";")[0] for message in told] == [f"{parked} batches were missing"]
    stack.pair.wait_for_replica()
    with stack.pair.replica.connect(*stack.pair.admin_credentials, database="sluice", autocommit=True) as replica:
        assert writes.found(replica) == writes.rows


def _patience(back: RecoveryHarness) -> float:
    """The seconds for which the deployed load_batch tries to reach the database, at most."""
    machine = back.stack.outputs["LoadStateMachineArn"]
    deployed = json.loads(back.states.describe_state_machine(stateMachineArn=machine)["definition"])
    away = next(one for one in deployed["States"]["Load"]["Retry"] if "DatabaseUnavailable" in one["ErrorEquals"])
    return longest(away)


def _all_parked(back: RecoveryHarness, seen: set[str], since: datetime.datetime) -> int | None:
    """How many batches are parked, once each that was delivered since a moment is."""
    pages = back.s3.get_paginator("list_objects_v2").paginate(Bucket=back.bucket, Prefix="batches/")
    since -= datetime.timedelta(seconds=1)  # S3's times are whole seconds
    delivered = sum(one["LastModified"] >= since for page in pages for one in page.get("Contents", []))
    loads = [one for one in back.list_executions("Load") if one["executionArn"] not in seen]
    ended = sum(one["status"] == "FAILED" for one in loads)
    return delivered if delivered and ended == len(loads) == delivered else None


def _reports(back: RecoveryHarness, seen: set[str]) -> list[dict[str, Any]]:
    """What the recoveries said that had something to do."""
    arns = [one["executionArn"] for one in back.list_executions("Recover") if one["executionArn"] not in seen]
    ended = [back.states.describe_execution(executionArn=arn) for arn in arns]
    outputs = [json.loads(one["output"]) for one in ended if one["status"] == "SUCCEEDED"]
    return [output for output in outputs if output["outcome"] == "recovered"]
