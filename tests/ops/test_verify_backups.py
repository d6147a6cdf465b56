"""The check of the last proof of a backup."""

from typing import Any

import pytest

from ops.verify.backups import run_backup_proof
from ops.verify.check import CheckFailed, NotApplicable

DAY = 86_400


class StackWithProofs:
    """A stack whose function answers with this."""

    name = "sluice"

    def __init__(self, answer: Any) -> None:
        self.outputs = {"ProveBackupStateMachineArn": "arn"}
        self._answer = answer

    def invoke(self, function: str, event: Any) -> Any:
        assert (function, event) == ("ProofInstance", {"step": "age"})
        return self._answer


class SubjectWithProofs:
    def __init__(self, days: float, outcome: str = "") -> None:
        last = {"outcome": outcome, "summary": "codes differs."} if outcome else {}
        self.stack = StackWithProofs({"seconds": days * DAY, "last": last})


def check(days: float, outcome: str = "") -> str:
    return run_backup_proof(SubjectWithProofs(days, outcome))  # type: ignore[arg-type]


def test_a_stack_without_proofs_has_nothing_to_check() -> None:
    subject = SubjectWithProofs(1)
    subject.stack.outputs.clear()
    with pytest.raises(NotApplicable, match="BackupProof is none"):
        run_backup_proof(subject)  # type: ignore[arg-type]


def test_a_late_or_failed_proof_fails() -> None:
    with pytest.raises(CheckFailed, match="No backup was proven for"):
        check(8.1, "proven")
    with pytest.raises(CheckFailed, match="No backup was proven for"):
        check(8.1)
    for outcome in ("different", "failed"):
        with pytest.raises(CheckFailed, match="did not succeed: codes differs"):
            check(1, outcome)


def test_a_proven_backup_and_a_new_stack_succeed() -> None:
    assert check(2, "proven").startswith("proven; a backup was proven ")
    assert check(2, "not_comparable").startswith("not comparable; ")
    assert check(0).startswith("no proof yet")
