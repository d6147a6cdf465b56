"""A snapshot is restored beside the live database and compared with it, by the workflow as deployed, and nobody helps.

The database is an existing one for the stack, whose RDS instance it knows by `PrimaryInstance`.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from local.stack import Stack, up
from tests.drill.restores import describe_steps, list_instances, read_load_times, take_backup
from tests.stack.operator import Operator
from tests.stack.recovery_harness import RecoveryHarness, invoke_function
from tests.stack.replica_site import ReplicaSite
from tests.stack.waiting import eventually

WRITES = 600  # before the backup, and the same number after it
CONVERGE_SECONDS = 180
PROOF_SECONDS = 600
SCHEDULE_SECONDS = 120
DELETE_SECONDS = 60
Alerts = Callable[[], list[dict[str, str]]]


@pytest.fixture(scope="module")
def proving(stack: Stack) -> Iterator[Stack]:
    """The stack with proofs of its backups. Afterwards it has none."""
    yield up(stack.folder.root, parameter_overrides={"BackupProof": "weekly"})
    up(stack.folder.root)


@pytest.fixture(scope="module")
def recovery(proving: Stack) -> RecoveryHarness:
    return RecoveryHarness(proving)


@pytest.fixture
def unchanged(proving: Stack) -> Iterator[None]:
    """Check that a proof leaves no instance, no snapshot and no server when RDS has deleted its instance."""
    before = _list_all(proving)
    yield
    eventually(lambda: _list_all(proving) == before, DELETE_SECONDS)


def _list_all(stack: Stack) -> tuple[set[str], set[str], set[str]]:
    snapshots = stack.aws_client("rds").describe_db_snapshots()["DBSnapshots"]
    # The primary may have had no snapshot before.
    owners = {snapshot["DBInstanceIdentifier"] for snapshot in snapshots} | {"sluice-local-primary"}
    return list_instances(stack), owners, {server.name for server in (*stack.servers.all, *stack.servers.others)}


@contextmanager
def start_by_schedule(recovery: RecoveryHarness) -> Iterator[str]:
    """Let the schedule start a proof within a minute, the shortest interval of EventBridge; then it is as before."""
    name, known = recovery.find_rule_name("ProofSchedule"), _list_executions(recovery)
    before = recovery.events.describe_rule(Name=name)["ScheduleExpression"]
    recovery.events.put_rule(Name=name, ScheduleExpression="rate(1 minute)")
    try:
        [execution] = eventually(lambda: _list_executions(recovery) - known, SCHEDULE_SECONDS)
    finally:
        recovery.events.put_rule(Name=name, ScheduleExpression=before)
    yield execution


def _list_executions(recovery: RecoveryHarness) -> set[str]:
    return {execution["executionArn"] for execution in recovery.list_executions("ProveBackup")}


def read_report(recovery: RecoveryHarness, name: str) -> tuple[dict[str, Any], set[str]]:
    """The report of a proof, and the keys of the batches that its copy lacked."""
    report, tail = (
        json.loads(recovery.s3.get_object(Bucket=recovery.bucket, Key=f"proofs/runs/{name}/{part}.json")["Body"].read())
        for part in ("report", "tail")
    )
    return report, {batch["key"] for batch in tail["batches"]}


def read_messages(alerts: Alerts, name: str) -> list[dict[str, str]]:
    """The alerts of one proof."""
    return [message for message in alerts() if name in message["Message"]]


@pytest.mark.timeout(1200)
@pytest.mark.usefixtures("unchanged")
def test_a_snapshot_is_proven_under_writes(
    proving: Stack, client: Any, recovery: RecoveryHarness, alerts: Alerts
) -> None:
    site, sluice = ReplicaSite(proving, client, "P"), Operator(proving)
    site.traffic.write(WRITES)
    eventually(site.is_converged, CONVERGE_SECONDS)
    backed_up = read_load_times(proving)
    snapshot = take_backup(proving)
    site.traffic.write(WRITES)
    eventually(site.is_converged, CONVERGE_SECONDS)
    loaded = read_load_times(proving)
    with site.run():
        accepted, began = site.traffic.accepted, time.monotonic()
        output = sluice("prove-backup", "--wait", "--json", seconds=PROOF_SECONDS).document
        seconds, phase = time.monotonic() - began, site.readers.get_phase(began)
        accepted = site.traffic.accepted - accepted
    eventually(site.is_converged, CONVERGE_SECONDS)
    now = read_load_times(proving)
    report, tail = read_report(recovery, output["name"])
    print(
        f"\nproven: `sluice prove-backup` took {seconds:.0f} s without help"
        f" ({describe_steps(recovery, 'ProveBackup')}); the snapshot had {len(backed_up)} of"
        f" {report['batches']} batches and lacked {report['tail']};"
        f" {accepted:,} writes were accepted meanwhile, and all {site.traffic.accepted:,} are in the"
        f" {len(site.traffic.rows):,} rows of every server. {phase.describe()}"
    )
    assert (output["outcome"], output["snapshot"]) == ("proven", snapshot)
    # What was loaded between the backup and the proof, and what the writers got loaded until its consistent read.
    assert loaded.keys() - backed_up.keys() <= tail <= now.keys() - backed_up.keys()
    assert len(tail) == report["tail"] == report["loaded"] > len(loaded) - len(backed_up) > 0
    assert report["batches"] == len(backed_up) + len(tail)
    assert report["examples"] == {}
    # No batch was loaded again into the live tables.
    assert loaded.items() <= now.items()
    assert phase.errors == []
    assert site.readers.list_steps_back(site.traffic.deletes, is_strict=True) == []
    [message] = read_messages(alerts, output["name"])
    assert message["Subject"] == "Sluice: backup proven"
    assert invoke_function(proving, "ProofInstance", {"step": "age"})["last"]["outcome"] == "proven"


@pytest.mark.timeout(1200)
@pytest.mark.usefixtures("unchanged")
def test_a_row_that_was_changed_by_hand_is_a_difference(
    proving: Stack, client: Any, recovery: RecoveryHarness, alerts: Alerts
) -> None:
    site = ReplicaSite(proving, client, "Q")
    site.traffic.write(WRITES)
    eventually(site.is_converged, CONVERGE_SECONDS)
    backed_up = read_load_times(proving)
    take_backup(proving)
    site.traffic.write(WRITES)
    eventually(site.is_converged, CONVERGE_SECONDS)
    loaded = read_load_times(proving)
    code = next(code for code, (_, is_deleted, *_) in site.traffic.rows.items() if not is_deleted)
    name = site.traffic.rows[code][2]
    _rename(proving, code, "changed by hand")
    try:
        with start_by_schedule(recovery) as execution:
            ended = recovery.wait_until_ended(execution, PROOF_SECONDS)
    finally:
        _rename(proving, code, name)
    report, tail = read_report(recovery, execution.rpartition(":")[2])
    print(
        f"\ndifferent: the schedule's proof ended after {report['seconds']} s"
        f" ({describe_steps(recovery, 'ProveBackup')}); the snapshot had {len(backed_up)} of {report['batches']}"
        f" batches and lacked {report['tail']}. The alert:\n  {report['summary']}"
    )
    assert tail == loaded.keys() - backed_up.keys()
    assert (report["outcome"], report["tail"], report["loaded"]) == ("different", len(tail), len(tail))
    [sentence] = report["sentences"]
    assert sentence.startswith("airports: ")
    assert report["examples"] == {"airports": ["", code]}
    assert (ended["status"], ended["error"], ended["cause"]) == ("FAILED", "NotProven", report["summary"])
    [message] = read_messages(alerts, report["name"])
    assert (message["Subject"], message["Message"].startswith(report["summary"])) == ("Sluice: backup different", True)
    eventually(lambda: recovery.read_alarm_state("ProveBackupFailedAlarm") == "ALARM", 120)
    assert read_load_times(proving) == loaded
    eventually(site.is_converged, CONVERGE_SECONDS)


def _rename(stack: Stack, code: str, name: str | None) -> None:
    credentials = stack.servers.admin_credentials
    with (
        stack.servers.primary.connect(*credentials, database="sluice", autocommit=True) as connection,
        connection.cursor() as cursor,
    ):
        assert cursor.execute("UPDATE airports SET name = %s WHERE id = %s", (name, code)) == 1
    stack.servers.wait_for_replicas()
