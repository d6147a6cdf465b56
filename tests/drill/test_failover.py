"""A promoted replica replaces the primary while clients write and read: what they notice."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from local.stack import Stack
from tests.drill.restores import Probe, describe_steps, lose_data, measure_longest_gap, run_restore
from tests.stack.operator import Operator
from tests.stack.recovery_harness import RecoveryHarness
from tests.stack.replica_site import ReplicaSite
from tests.stack.waiting import eventually

CONVERGE_SECONDS = 180


@pytest.fixture
def site(stack: Stack, client: Any, request: pytest.FixtureRequest) -> Iterator[ReplicaSite]:
    yield ReplicaSite(stack, client, {"running": "F", "lost": "G"}[request.getfixturevalue("primary_state")])
    stack.servers.start()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("primary_state", ["running", "lost"])
def test_a_promoted_replica_takes_over_and_no_write_is_lost(
    stack: Stack, site: ReplicaSite, sluice: Operator, recovery: RecoveryHarness, primary_state: str
) -> None:
    probe = Probe(site, f"{'H' if primary_state == 'running' else 'J'}AAA")
    with site.run(), probe.run():
        eventually(lambda: len(probe.readable_seconds) >= 3)
        usual = max(probe.readable_seconds)
        accepted, began = site.traffic.accepted, time.monotonic()
        if primary_state == "lost":
            lose_data([stack.servers.primary])
        report = run_restore(sluice, "--promote", "replica-1")
        seconds = time.monotonic() - began
        number = len(probe.readable_seconds)
        eventually(lambda: len(probe.readable_seconds) > number)
        phase = site.readers.get_phase(began)
        accepted = site.traffic.accepted - accepted
    eventually(site.is_converged, CONVERGE_SECONDS)
    print(
        f"\nprimary {primary_state}: the failover took {seconds:.0f} s ({describe_steps(recovery)}); seconds without"
        f" reads: shared {measure_longest_gap(phase.answers, '/v1/airports'):.1f}, private"
        f" {measure_longest_gap(phase.answers, '/v1/bookings'):.1f}; a new write was readable after at most"
        f" {max(probe.readable_seconds):.0f} s (before {usual:.0f} s); {accepted:,} writes were accepted meanwhile,"
        f" 0 lost. {phase.describe()}; errors {len(phase.errors)}"
    )
    assert report["status"] == "complete"
    assert set(probe.statuses) == {202}
    assert phase.errors == []
    assert site.readers.list_steps_back(site.traffic.deletes, is_strict=True) == []
    assert site.list_wrong_items() == []
