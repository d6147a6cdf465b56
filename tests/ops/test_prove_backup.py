"""`sluice prove-backup`: it starts a proof, shows its steps and reports its end."""

from typing import Any

import pytest

from ops import progress
from ops.commands import prove_backup
from tests.ops.conftest import Sluice
from tests.ops.stub_stack import StubStack

REPORT = {
    "outcome": "proven",
    "summary": "The backup is proven.",
    "seconds": 61,
    "snapshot": "rds:orders-1",
    "tail": 35,
    "loaded": 35,
    "report": {"bucket": "batches", "key": "proofs/runs/one/report.json"},
}


def test_a_proof_is_started_with_no_input(sluice: Sluice, stub_stack: StubStack) -> None:
    output = sluice("prove-backup", "--json")
    assert output.exit_code == 0, output
    assert output.document["arn"] == stub_stack.list_executions("ProveBackup")[0]["executionArn"]
    assert stub_stack.latest_input("ProveBackup") == {}


def test_the_wait_shows_the_steps_and_reports(
    sluice: Sluice, stub_stack: StubStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LINE_INTERVAL_SECONDS", 0.3)
    states: dict[str, Any] = {
        "Begin": {"Type": "Pass", "Next": "Wait"},
        "Wait": {"Type": "Wait", "Seconds": 3, "Next": "Compare"},
        "Compare": {"Type": "Wait", "Seconds": 3, "Next": "Say"},
        "Say": {"Type": "Pass", "Result": REPORT, "End": True},
    }
    stub_stack.define_workflow("ProveBackup", states)
    output = sluice("prove-backup", "--wait")
    assert output.exit_code == 0, output
    assert output.stdout.splitlines() == [
        "proven after 1 min 1 s: The backup is proven.",
        "  snapshot rds:orders-1; lacked 35 batches, loaded 35",
        "  report: s3://batches/proofs/runs/one/report.json",
    ]
    steps = [line.partition(": ")[2] for line in output.stderr.splitlines()]
    assert steps == ["restoring the newest snapshot", "comparing the tables"]


def test_a_backup_that_is_not_proven_is_a_failure(sluice: Sluice, stub_stack: StubStack) -> None:
    stub_stack.set_workflow_failure("ProveBackup", "NotProven", "The backup differs from the live database.")
    output = sluice("prove-backup", "--wait")
    assert output.exit_code == 1
    assert "NotProven: The backup differs from the live database." in output.stderr


def test_a_stack_without_proofs_says_how_to_get_them(sluice: Sluice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prove_backup, "has_workflow", lambda *_: False)
    output = sluice("prove-backup")
    assert output.exit_code == 2
    assert "proves no backups" in output.stderr
    assert "BackupProof=weekly; an existing database needs PrimaryInstance too" in output.stderr
