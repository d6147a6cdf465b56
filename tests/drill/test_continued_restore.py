"""A restore ends in the middle, an operator continues it, and deletes the replicas that it put aside.

Only the primary is lost, so clients write and read all the time.
"""

import itertools
import re
import shlex
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local.stack import Stack
from ops.errors import EXIT_INCOMPLETE
from tests.drill.restores import (
    delete_instance,
    describe_steps,
    list_instances,
    lose_data,
    read_load_times,
    run_restore,
    start_restore,
    take_backup,
    wait_for_state,
)
from tests.stack.operator import Operator
from tests.stack.recovery_harness import RecoveryHarness
from tests.stack.replica_site import ReplicaSite
from tests.stack.waiting import eventually

WRITES = 300  # before the backup, and the same number after it
CONVERGE_SECONDS = 180
PRIMARY, REPLICAS = "sluice-local-primary", ("sluice-local-replica-1", "sluice-local-replica-2")

# The first letter of each test's airports: a table has those of the earlier ones, too.
LETTERS = itertools.cycle("PQRS")
Alerts = Callable[[], list[dict[str, str]]]


@pytest.fixture
def site(stack: Stack, client: Any) -> Iterator[ReplicaSite]:
    yield ReplicaSite(stack, client, next(LETTERS))
    stack.servers.start()


@pytest.mark.timeout(1200)
def test_the_command_of_the_alert_continues_a_restore_that_failed(
    stack: Stack, site: ReplicaSite, sluice: Operator, recovery: RecoveryHarness, alerts: Alerts
) -> None:
    """The new primary dies before the first new replica is made, which RDS gives up for good."""
    snapshot = _write_around_a_backup(stack, site)
    others = list_instances(stack) - {PRIMARY, *REPLICAS}
    with site.run():
        lose_data([stack.servers.primary])
        lost = time.monotonic()
        name = start_restore(sluice, "--snapshot", snapshot)
        wait_for_state(recovery, "ReplaceReplica")
        stack.servers.primary.kill()
        sluice("executions", name, "--wait", code=EXIT_INCOMPLETE, seconds=600)
        failed, first_steps = time.monotonic(), describe_steps(recovery)
        [message] = eventually(lambda: [each["Message"] for each in alerts() if "`sluice restore" in each["Message"]])
        stack.servers.primary.start()
        delete_instance(stack, REPLICAS[0])
        loaded = read_load_times(stack)
        command = re.search(r"`sluice restore (.*)`", message)
        assert command, message
        report = run_restore(sluice, *shlex.split(command[1]))
        ended, phase = time.monotonic(), site.readers.get_phase(lost)
    steps = describe_steps(recovery)
    now = read_load_times(stack)
    _check_restored(site, report)
    # It counts what its first part loaded, too.
    assert report["loaded"] > len([key for key in now if now[key] != loaded.get(key)])
    stamp = report["stamp"]
    olds = {f"{replica}-old-{stamp}" for replica in REPLICAS}
    put_aside = {f"{PRIMARY}-lost-{stamp}", *olds}
    assert list_instances(stack) == {PRIMARY, *REPLICAS, *others, *put_aside}
    began = time.monotonic()
    deletion = run_restore(sluice, *shlex.split(command[1]), "--delete-old-replicas")
    seconds = time.monotonic() - began
    print(
        f"\nfailed: the restore failed after {failed - lost:.0f} s ({first_steps}) with {message!r};"
        f" continued, it was complete after {ended - failed:.0f} s more ({steps}); {report['loaded']} batches were"
        f" loaded since it began. {phase.describe()}; errors {len(phase.errors)}. To delete the old replicas took"
        f" {seconds:.0f} s ({describe_steps(recovery)})"
    )
    assert phase.errors == []
    assert [each["identifier"] for each in deletion["leftovers"]] == [f"{PRIMARY}-lost-{stamp}"]
    eventually(lambda: list_instances(stack) == {PRIMARY, *REPLICAS, *others, *put_aside} - olds)
    assert deletion["status"] == "complete"
    site.traffic.write(60)
    eventually(site.is_converged, CONVERGE_SECONDS)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("state", ["TakeIdentifier", "Recover"])
def test_a_restore_that_an_operator_stopped_is_continued(
    stack: Stack, site: ReplicaSite, sluice: Operator, recovery: RecoveryHarness, state: str
) -> None:
    """When it is stopped, no instance has the name of the primary; or the new one has it, and lacks batches."""
    snapshot = _write_around_a_backup(stack, site)
    others = list_instances(stack) - {PRIMARY, *REPLICAS}
    with site.run():
        lose_data([stack.servers.primary])
        lost = time.monotonic()
        start_restore(sluice, "--snapshot", snapshot)
        execution = wait_for_state(recovery, state)
        recovery.states.stop_execution(executionArn=execution)
        stopped = time.monotonic()
        [stamp] = {name.rpartition("-")[2] for name in list_instances(stack) - others if "-lost-" in name}
        options = ("--snapshot", snapshot, "--continue", stamp, "--delete-old-replicas")
        report = run_restore(sluice, *options)
        ended, phase = time.monotonic(), site.readers.get_phase(lost)
    print(
        f"\nstopped in {state} after {stopped - lost:.0f} s, continued, it was complete after {ended - stopped:.0f} s"
        f" more ({describe_steps(recovery)}); {report['loaded']} batches were loaded since it began."
        f" {phase.describe()}; errors {len(phase.errors)}"
    )
    _check_restored(site, report)
    assert phase.errors == []
    assert report["stamp"] == stamp
    eventually(lambda: list_instances(stack) == {PRIMARY, *REPLICAS, *others, f"{PRIMARY}-lost-{stamp}"})


def _write_around_a_backup(stack: Stack, site: ReplicaSite) -> str:
    """Write before and after a snapshot, and return its identifier."""
    site.traffic.write(WRITES)
    eventually(site.is_converged, CONVERGE_SECONDS)
    snapshot = take_backup(stack)
    site.traffic.write(WRITES)
    eventually(site.is_converged, CONVERGE_SECONDS)
    return snapshot


def _check_restored(site: ReplicaSite, report: dict[str, Any]) -> None:
    eventually(site.is_converged, CONVERGE_SECONDS)
    assert report["status"] == "complete"
    assert report["loaded"] > 0
    assert site.readers.list_steps_back(site.traffic.deletes, is_strict=True) == []
    assert site.list_wrong_items() == []
