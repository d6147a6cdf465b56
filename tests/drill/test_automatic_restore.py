"""The database is lost with all its replicas while clients write. `sluice restore` brings it back, and nobody helps."""

import datetime
import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from local.stack import Stack
from tests.drill.restores import describe_steps, lose_data, read_load_times, run_restore, take_backup
from tests.stack.operator import ROOT, Operator
from tests.stack.recovery_harness import RecoveryHarness
from tests.stack.replica_site import ReplicaSite
from tests.stack.waiting import eventually

WRITES = 600  # before the backup, and the same number after it
CONVERGE_SECONDS = 180


# The first letter of each test's airports: a table has those of the earlier ones, too.
LETTERS = itertools.cycle("LMN")


@pytest.fixture
def site(stack: Stack, client: Any) -> Iterator[ReplicaSite]:
    yield ReplicaSite(stack, client, next(LETTERS))
    stack.servers.start()


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("source", ["latest", "snapshot"])
def test_a_lost_database_is_restored_with_every_accepted_write(
    stack: Stack, site: ReplicaSite, sluice: Operator, recovery: RecoveryHarness, source: str
) -> None:
    site.traffic.write(WRITES)
    eventually(site.is_converged, CONVERGE_SECONDS)
    backed_up = read_load_times(stack)
    snapshot = take_backup(stack)
    site.traffic.write(WRITES)
    eventually(site.is_converged, CONVERGE_SECONDS)
    loaded = read_load_times(stack)
    options = ("--latest",) if source == "latest" else ("--snapshot", snapshot)
    with site.run():
        lose_data(stack.servers.all)
        accepted, lost = site.traffic.accepted, time.monotonic()
        report = run_restore(sluice, *options)
        seconds, phase = time.monotonic() - lost, site.readers.get_phase(lost)
        accepted = site.traffic.accepted - accepted
    eventually(site.is_converged, CONVERGE_SECONDS)
    now = read_load_times(stack)
    loaded_again = {key for key in loaded if now[key] != loaded[key]}
    print(
        f"\n{source}: the data of all servers were removed; `sluice restore` took {seconds:.0f} s without help"
        f" ({describe_steps(recovery)}); of {len(loaded)} batches the backup lacked {len(loaded_again)};"
        f" {report['loaded']} were loaded meanwhile; {accepted:,} writes were accepted meanwhile, and all"
        f" {site.traffic.accepted:,} are in the {len(site.traffic.rows):,} rows of every server. {phase.describe()}"
    )
    assert report["status"] == "complete"
    # The snapshot lacks what was loaded after it. The log that was copied besides has that: nothing is loaded again.
    expected = loaded.keys() - backed_up.keys()
    assert expected
    assert loaded_again == (expected if source == "snapshot" else set())
    assert report["loaded"] >= len(loaded_again)
    assert accepted > 50
    assert site.readers.list_steps_back(site.traffic.deletes, is_strict=True) == []
    assert site.list_wrong_items() == []
    assert sluice("status", "--json").exit_code == 0
    _restart(stack)
    eventually(site.is_converged, CONVERGE_SECONDS)
    site.traffic.write(60)
    eventually(site.is_converged, CONVERGE_SECONDS)


def _restart(stack: Stack) -> None:
    """`make down` and `make up`, for the folder of this stack."""
    environment = {**os.environ, "SLUICE_LOCAL": str(stack.folder.root)}
    for command in ("down", "up"):
        subprocess.run([sys.executable, "-m", "local.stack", command], cwd=ROOT, env=environment, check=True)


@pytest.mark.timeout(1200)
def test_a_restore_to_a_moment_replays_what_was_accepted_after_it(
    stack: Stack, site: ReplicaSite, sluice: Operator, recovery: RecoveryHarness
) -> None:
    """A bad write is an accepted write: the replay loads it again. To leave it out is the work of a rebuild."""
    site.traffic.write(WRITES)
    eventually(site.is_converged, CONVERGE_SECONDS)
    take_backup(stack)
    site.traffic.write(60)
    eventually(site.is_converged, CONVERGE_SECONDS)
    time.sleep(3)  # RDS's moments are whole seconds, and what it can restore follows the log
    moment = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    time.sleep(3)
    before = len(recovery.read_ledger())
    site.traffic.write(60)
    eventually(site.is_converged, CONVERGE_SECONDS)
    after = len(recovery.read_ledger())
    with site.readers.read_continuously():
        began = time.monotonic()
        report = run_restore(sluice, "--to", f"{moment:%Y-%m-%dT%H:%M:%SZ}")
        phase = site.readers.get_phase(began)
    eventually(site.is_converged, CONVERGE_SECONDS)
    print(
        f"\nto a moment: the state of {moment:%H:%M:%S} lacked {after - before} batches that were accepted later;"
        f" {report['loaded']} were loaded: {describe_steps(recovery)}. {phase.describe()}"
    )
    assert report["loaded"] == after - before > 0
    assert phase.errors == []
    assert site.readers.list_steps_back(site.traffic.deletes, is_strict=True) == []
    assert site.list_wrong_items() == []
