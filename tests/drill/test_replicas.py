"""Each replica fails in five ways, one at a time, then both: what eight readers get while six clients write."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from local.stack import Stack
from tests.stack.replica_faults import (
    Fault,
    delayed_replica,
    dropped_table,
    frozen_replica,
    garbled_table,
    killed_replica,
)
from tests.stack.replica_site import ReplicaSite
from tests.stack.waiting import eventually

FAULTS: dict[str, Fault] = {
    "killed": killed_replica,
    "stopped": frozen_replica,
    "20 seconds late": delayed_replica,
    "a table garbled": garbled_table,
    "a table dropped": dropped_table,
}
LETTERS = iter("EUY")
FAULT_SECONDS = 15
BOTH_SECONDS = 12
CATCH_UP_SECONDS = 120


@pytest.fixture
def site(stack: Stack, client: Any) -> Iterator[ReplicaSite]:
    # Each has airports of its own, because the model of a site begins without any.
    yield ReplicaSite(stack, client, next(LETTERS))
    stack.servers.start()
    stack.servers.wait_for_replicas(CATCH_UP_SECONDS)


@pytest.mark.timeout(900)
def test_no_read_fails_while_one_replica_is_healthy_and_no_strict_reader_sees_an_older_state(
    stack: Stack, site: ReplicaSite
) -> None:
    stale = site.count_stale_answers()
    with site.run():
        healthy = site.observe(5)
        print(f"\nwithout a fault: {healthy.describe()}")
        failures = [*healthy.errors]
        for name, fault in FAULTS.items():
            for number, replica in enumerate(stack.servers.replicas, 1):
                began = time.monotonic()
                with fault(stack, replica):
                    time.sleep(FAULT_SECONDS)
                phase = site.readers.get_phase(began)
                print(f"replica-{number} {name}: {phase.describe()}; {_describe_steps(site)}")
                failures += phase.errors
                replica.wait_until_caught_up(CATCH_UP_SECONDS)
    stale = site.count_stale_answers() - stale
    eventually(site.is_converged, CATCH_UP_SECONDS)
    print(f"{site.traffic.accepted:,} writes were accepted. {_describe_steps(site)}. Stale from CloudFront: {stale}.")
    assert failures == []
    assert stale == 0
    assert site.readers.list_steps_back(site.traffic.deletes, is_strict=True) == []
    assert site.readers.count_sightings(is_strict=True) > 1_000
    assert site.list_wrong_items() == []


def _describe_steps(site: ReplicaSite) -> str:
    """The steps back of all readers so far."""
    plain, strict = (
        f"{len(site.readers.list_steps_back(site.traffic.deletes, is_strict=is_strict))} of"
        f" {site.readers.count_sightings(is_strict=is_strict):,}"
        for is_strict in (False, True)
    )
    return f"steps back of plain readers {plain}, of strict ones {strict}"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["killed", "stopped"])
def test_without_any_replica_shared_reads_are_stale_private_ones_503_and_all_converges_afterwards(
    stack: Stack, site: ReplicaSite, name: str
) -> None:
    shared, fault = "/v1/airports?limit=7", FAULTS[name]
    with site.run():
        eventually(lambda: site.machine.get(shared).status_code == 200)
        accepted, began = site.traffic.accepted, time.monotonic()
        with ExitStack() as faults:
            for replica in stack.servers.replicas:
                faults.enter_context(fault(stack, replica))
            # Until then the caches of API Gateway and of the function may still answer.
            time.sleep(BOTH_SECONDS)
            stale = eventually(lambda: _get_stale(site, shared))
            private = site.owner.get(site.booking)
        phase = site.readers.get_phase(began)
        stack.servers.wait_for_replicas(CATCH_UP_SECONDS)
        restarted = time.monotonic()
        eventually(lambda: site.owner.get(site.booking).status_code == 200)
        readable = time.monotonic() - restarted
        accepted = site.traffic.accepted - accepted
    eventually(site.is_converged, CATCH_UP_SECONDS)
    print(
        f"\nboth {name}: {phase.describe()}; a shared list was {stale['Age']} s old"
        f" ({stale['X-Cache']}); a private item was {private.status_code}, with Retry-After"
        f" {private.headers.get('Retry-After')}; {accepted:,} writes were accepted meanwhile; a private read succeeded"
        f" {readable:.1f} s after the replicas had caught up; {_describe_steps(site)}"
    )
    assert (private.status_code, int(private.headers["Retry-After"]) >= 1) == (503, True)
    assert phase.statuses[503] > 0
    assert {answer.status for answer in phase.errors} == {503}
    assert all(answer.retry_after for answer in phase.errors)
    assert site.readers.list_steps_back(site.traffic.deletes, is_strict=True) == []
    assert site.list_wrong_items() == []


def _get_stale(site: ReplicaSite, path: str) -> httpx.Headers | None:
    """The headers of a stale answer, or None if the answer was another one."""
    response = site.machine.get(path)
    is_stale = response.headers.get("X-Cache") == "RefreshHit from cloudfront" and int(response.headers["Age"]) >= 5
    return response.headers if response.status_code == 200 and is_stale else None
