"""`sluice verify` passes on the deployed stack. test_verify_broken.py has the stacks on which its checks fail."""

import datetime
from typing import Any

import pytest

from local.stack import Stack
from ops.aws import Stack as OperatedStack
from ops.aws import choose_target
from ops.service import CONTRACT_PATH
from ops.verify import archive, game_day
from ops.verify.catalogue import CHECKS
from ops.verify.contract import Collection
from ops.verify.run import run_checks
from ops.verify.subject import OwnWrite, Subject
from tests.stack.broken_stack import batch_without_archive
from tests.stack.operator import Operator
from tests.stack.waiting import backing_up

pytestmark = pytest.mark.stack("first")


@pytest.fixture(scope="module")
def sluice(stack: Stack) -> Operator:
    return Operator(stack)


@pytest.fixture(scope="module")
def verified(stack: Stack, sluice: Operator) -> dict[str, Any]:
    """The report of a verification, with the state of the stack before it."""
    # The servers of a test are backed up on demand only.
    snapshot = {"DBInstanceIdentifier": "sluice-local-primary", "DBSnapshotIdentifier": "before-verification"}
    rds = stack.aws_client("rds")
    rds.create_db_snapshot(**snapshot)
    rds.get_waiter("db_snapshot_available").wait(**snapshot, WaiterConfig={"Delay": 1, "MaxAttempts": 120})
    before = sluice("status", "--json").document
    with backing_up(stack):
        # Other tests put batches by hand, which the archive does not have: compare the own writes only.
        return {"before": before, **sluice("verify", "--json", "--window", "0").document}


def test_every_check_passes_and_nothing_remains(sluice: Operator, verified: dict[str, Any]) -> None:
    assert [check["name"] for check in verified["checks"]] == [*CHECKS, "clean-up"]
    assert {check["name"]: check["message"] for check in verified["checks"] if check["state"] != "ok"} == {
        # The local stack proves no backups.
        "backup-proof": "BackupProof is none: no backup is restored and compared."
    }
    after, before = sluice("status", "--json").document, verified["before"]
    assert (after["quarantined"], after["rejected_writes"]) == (before["quarantined"], before["rejected_writes"])


def test_the_contract_is_not_a_copy_from_before_a_deploy(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_LOCAL", str(stack.folder.root))
    service = Subject(OperatedStack(choose_target(None, None, None))).public()
    copies = [service.request("GET", CONTRACT_PATH).headers["x-cache"] for _ in range(2)]
    assert copies[1].startswith("Hit")
    assert service.request_contract().headers["x-cache"].startswith("Miss")


def test_the_archive_check_fails_when_the_archive_lacks_a_write(
    stack: Stack, verified: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_LOCAL", str(stack.folder.root))
    monkeypatch.setattr(archive, "DELIVERY_MARGIN_SECONDS", -60.0)  # do not wait for the buffer
    recent = archive.WriteLog(stack.outputs["ArchiveBucketName"], "archive/")
    archived = max(
        recent.read_versions(
            stack.aws_client("s3"), datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=10)
        )
    )

    class ArchivedSubject(Subject):
        """Its own write is one that the archive has already."""

        def own_write(self) -> OwnWrite:
            return OwnWrite(Collection("airports", is_private=False, key="icao", examples=()), "", archived, "", "", 0)

    subject = ArchivedSubject(OperatedStack(choose_target(None, None, None)), window=datetime.timedelta())
    [whole] = run_checks(subject, [CHECKS["archive"]])
    assert whole.state == "ok", whole
    with batch_without_archive(stack, archived):
        [broken] = run_checks(subject, [CHECKS["archive"]])
    assert broken.state == "failed"
    assert broken.message.startswith("The archive lacks 1 write of the batches")


@pytest.mark.slow
def test_a_game_day_compares_every_write_of_an_outage(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_LOCAL", str(stack.folder.root))
    monkeypatch.setattr(game_day, "STEADY_SECONDS", 2.0)

    def kill_primary(subject: Subject) -> str:
        stack.servers.primary.kill()
        try:
            subject.sleep(5)
        finally:
            stack.servers.start()
        return "primary killed"

    subject = Subject(OperatedStack(choose_target(None, None, None)))
    try:
        [result] = run_checks(subject, [game_day.create_check(kill_primary)])
    finally:
        remains = subject.clean_up()
    assert (result.state, remains) == ("ok", []), result
    assert result.message.startswith("primary killed in ")
