"""The check of what a restore needs."""

import datetime
from typing import Any

import pytest

from ops.times import format_time
from ops.verify.check import CheckFailed, NotApplicable
from ops.verify.restore import run_restore

PRIMARY = "sluice-primary"


class RestorableStack:
    """A stack whose function answers with this."""

    name = "sluice"

    def __init__(self, answer: Any) -> None:
        self.outputs = {"RestoreStateMachineArn": "arn"}
        self._answer = answer

    def invoke(self, function: str, event: Any) -> Any:
        assert (function, event) == ("Restore", {"step": "check"})
        return self._answer


class RestorableSubject:
    """`days` are the ages of the latest restorable time and of the newest snapshot; None is: there is none."""

    def __init__(self, *days: float | None, missing: tuple[str, ...] = ()) -> None:
        now = datetime.datetime.now(datetime.UTC)
        latest, newest = (format_time(now - datetime.timedelta(days=age)) if age is not None else None for age in days)
        answer = {"primary": PRIMARY, "missing": [*missing], "latest": latest, "newest_snapshot": newest}
        self.stack = RestorableStack(answer)


def check(*days: float | None, missing: tuple[str, ...] = ()) -> str:
    return run_restore(RestorableSubject(*days, missing=missing))  # type: ignore[arg-type]


def test_a_stack_without_instances_has_nothing_to_check() -> None:
    subject = RestorableSubject(0, 0)
    subject.stack.outputs.clear()
    with pytest.raises(NotApplicable, match="PrimaryInstance is empty"):
        run_restore(subject)  # type: ignore[arg-type]


def test_a_missing_instance_is_named() -> None:
    with pytest.raises(CheckFailed, match=r"RDS has no instance sluice-replica\."):
        check(0, 0, missing=("sluice-replica",))


def test_a_missing_or_old_backup_fails() -> None:
    with pytest.raises(CheckFailed, match="sluice-primary has no backup, so no restore is possible"):
        check(None, None)
    with pytest.raises(CheckFailed, match=r"The latest backup of sluice-primary is of \d{4}-"):
        check(2.1, 3)


def test_the_later_of_log_and_snapshot_counts() -> None:
    for ages in ((None, 1), (3, 1), (0.01, 3)):
        assert check(*ages).startswith("sluice-primary can be restored to ")
