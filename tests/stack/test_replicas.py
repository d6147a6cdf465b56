"""Replicas fail one at a time under writes and reads. `tests/drill/test_replicas.py` does it with more faults."""

from typing import Any

import pytest

from local.stack import Stack
from tests.stack.replica_faults import delayed_replica, frozen_replica, killed_replica
from tests.stack.replica_site import ReplicaSite
from tests.stack.waiting import eventually

pytestmark = pytest.mark.stack("second")

FAULT_SECONDS = 5


def test_no_read_fails_and_no_strict_reader_goes_back_while_a_replica_is_killed_stopped_or_late(
    stack: Stack, client: Any
) -> None:
    site = ReplicaSite(stack, client, "Q")
    first, second = stack.servers.replicas
    stale, errors = site.count_stale_answers(), []
    with site.run():
        for fault, replica in ((killed_replica, first), (frozen_replica, second), (delayed_replica, first)):
            with fault(stack, replica):
                errors += site.observe(FAULT_SECONDS).errors
            replica.wait_until_caught_up()
    assert errors == []
    assert site.count_stale_answers() == stale
    assert site.readers.list_steps_back(site.traffic.deletes, is_strict=True) == []
    assert site.readers.count_sightings(is_strict=True) > 100
    eventually(site.is_converged)
