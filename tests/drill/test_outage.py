"""The primary killed under 10,000 writes, until batches park; afterwards nobody acts."""

import itertools
import json
import string
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest

from local.stack import Stack
from tests.stack.samples import airport
from tests.stack.waiting import eventually
from tests.stack.way_back import Versions, WayBack

WRITES = 10_000
CODES = ["".join(found) for found in itertools.product("XY", *[string.ascii_uppercase] * 3)]


@contextmanager
def every_minute(back: WayBack) -> Iterator[None]:
    """A while in which the schedule runs as often as EventBridge can."""
    name = back.rule("RecoverySchedule")
    before = back.events.describe_rule(Name=name)["ScheduleExpression"]
    back.events.put_rule(Name=name, ScheduleExpression="rate(1 minute)")
    try:
        yield
    finally:
        back.events.put_rule(Name=name, ScheduleExpression=before)


def write_all(client: Any, token: str, pick: slice) -> Versions:
    """Write from several clients at once, and return the version of each item."""
    codes = CODES[pick]

    def write(share: list[str]) -> Versions:
        mine: httpx.Client = client(token)
        return {code: mine.put(f"/v1/airports/{code}", json=airport(code)).json()["version"] for code in share}

    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(write, [codes[n::6] for n in range(6)]))
    return {code: version for versions in found for code, version in versions.items()}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("trigger", ["alarm", "schedule"])
def test_what_parked_in_an_outage_is_loaded_with_nobody_acting(
    stack: Stack, client: Any, machine_token: str, trigger: str
) -> None:
    back = WayBack(stack)
    seen = {one["executionArn"] for one in back.executions("Recover")}
    with ExitStack() as while_:
        if trigger == "schedule":
            while_.enter_context(back.without("BatchesParked"))
            while_.enter_context(every_minute(back))
        with back.hasty_loads():
            stack.pair.primary.kill()
            killed = time.monotonic()
            offset = 0 if trigger == "alarm" else WRITES
            versions = write_all(client, machine_token, slice(offset, offset + WRITES))
            eventually(lambda: len(back.executions("Load", "FAILED")) > 2)
            down = time.monotonic() - killed
        stack.pair.start()
        began = time.monotonic()
        eventually(lambda: _lacking(back, versions) == 0, 300)
        took = time.monotonic() - began
        reports = eventually(lambda: _reports(back, seen), 120)
    planned = sum(report["replay"]["planned"] for report in reports)
    print(
        f"\n{trigger}: {len(versions):,} writes accepted in {down:.0f} s without a primary; {planned} batches were "
        f"missing; every row was there {took:.0f} s after it came back. {reports[-1]['database']['sentence']}"
    )
    assert planned > 2
    assert all(report["replay"]["remaining"] == 0 for report in reports)


def _lacking(back: WayBack, versions: Versions) -> int:
    """How many items do not have the version of their last write."""
    found: Versions = {}
    for prefix in "XY":
        found |= back.tables(prefix)
    return sum(found.get(code) != version for code, version in versions.items())


def _reports(back: WayBack, seen: set[str]) -> list[dict[str, Any]]:
    """What the recoveries said that had something to do."""
    arns = [one["executionArn"] for one in back.executions("Recover") if one["executionArn"] not in seen]
    ended = [back.states.describe_execution(executionArn=arn) for arn in arns]
    outputs = [json.loads(one["output"]) for one in ended if one["status"] == "SUCCEEDED"]
    return [output for output in outputs if output["outcome"] == "recovered"]
