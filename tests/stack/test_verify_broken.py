"""Each check of `sluice verify` fails on a stack that is broken for it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import pytest

from local.stack import Stack
from ops.aws import Stack as OperatedStack
from ops.aws import choose_target
from ops.checks import CheckResult
from ops.verify import observability, workflows
from ops.verify import subject as subject_module
from ops.verify.catalogue import CHECKS
from ops.verify.run import run_checks
from ops.verify.subject import Subject
from tests.stack.broken_stack import (
    changed_alarm,
    changed_dashboard,
    changed_function,
    changed_role,
    changed_web_acl,
    disabled_rule,
    dropped_metrics,
    machine_client_without_flow,
    unsubscribed,
    without_query_digest,
)
from tests.stack.recovery_harness import RecoveryHarness
from tests.stack.waiting import eventually

pytestmark = pytest.mark.stack("first")

Breakage = Callable[[Stack], AbstractContextManager[None]]

# A check, what breaks the stack for it, and a part of the sentence that the check then prints.
BREAKAGES: dict[str, tuple[str, Breakage, str]] = {
    "batches start no load": ("round-trip", partial(disabled_rule, logical_id="BatchDelivered"), "still says pending"),
    "the machine client gets no token": ("round-trip", machine_client_without_flow, "refused the machine client"),
    "the canary reaches nobody": (
        "canary",
        partial(changed_function, function="Canary", Variables={"SERVICE_URL": "http://127.0.0.1:9"}),
        "PUT ConnectionRefusedError",
    ),
    "the API admits everybody": (
        "direct-call",
        partial(changed_web_acl, logical_id="ApiAcl", DefaultAction={"Allow": {}}),
        "instead of 403",
    ),
    "CloudFront digests no query": ("cache-key", without_query_digest, "after an unknown parameter answers 400"),
    "the web ACL has no rules": (
        "attack", partial(changed_web_acl, logical_id="EdgeAcl", Rules=[]), "instead of 403"
    ),
    "no load starts for an unreadable batch": (
        "quarantine", partial(disabled_rule, logical_id="BatchDelivered"), "is not in quarantine after"
    ),
    "RDS has no such instance": (
        "restore",
        partial(changed_function, function="Restore", Variables={"PRIMARY_INSTANCE": "sluice-local-primary-none"}),
        "RDS has no instance sluice-local-primary-none",
    ),
    "a replay may not list batches": (
        "replay",
        partial(changed_role, logical_id="PlanFunctionRole", change=lambda _policy: None),
        "has not ended after",
    ),
    "a function may do more": (
        "permissions",
        partial(changed_role, logical_id="PostFunctionRole", change=lambda policy: allow(policy, "s3:DeleteObject")),
        "PostFunction may call s3:DeleteObject",
    ),
    "a function may do less": (
        "permissions",
        partial(changed_role, logical_id="PlanFunctionRole", change=lambda _policy: None),
        "PlanFunction may not call",
    ),
    "a function's lines are dropped": (
        "logs",
        partial(changed_function, function="Post", LoggingConfig={"ApplicationLogLevel": "ERROR"}),
        "The log of PostFunction has no line",
    ),
    "a function's metrics are dropped": (
        "metrics",
        partial(dropped_metrics, function="Post"),
        "no value of WritesAccepted",
    ),
    "a function sends no traces": (
        "trace",
        partial(changed_function, function="Post", Variables={"POWERTOOLS_TRACE_DISABLED": "true"}),
        "X-Ray has no trace",
    ),
    "the status cannot probe the stream": (
        "status", partial(changed_function, function="Status", Variables={"STREAM_NAME": "none"}), "says: writes un"
    ),
    "an alarm has no action": (
        "alarms", partial(changed_alarm, logical_id="FreshnessAlarm", AlarmActions=[]), "does not notify the topic"
    ),
    "an alarm's actions are disabled": (
        "alarms", partial(changed_alarm, logical_id="FreshnessAlarm", ActionsEnabled=False), "are disabled"
    ),
    "the dashboard is gone": ("dashboard", partial(changed_dashboard, widgets=None), "CloudWatch has no dashboard"),
    "the dashboard shows no alarm": ("dashboard", partial(changed_dashboard, widgets=[]), "does not show"),
    "nobody subscribes to the alerts": ("alerts", unsubscribed, "Nobody is notified"),
}  # fmt: skip


def allow(policy: dict[str, Any], action: str) -> dict[str, Any]:
    """The policy with one more action, on everything."""
    return {**policy, "Statement": [*policy["Statement"], {"Effect": "Allow", "Action": action, "Resource": "*"}]}


@pytest.fixture
def verify(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], CheckResult]]:
    """Runs a check, and waits less than on AWS for what does not come."""
    monkeypatch.setenv("SLUICE_LOCAL", str(stack.folder.root))
    monkeypatch.setattr(subject_module, "DELIVERY_MARGIN_SECONDS", 5.0)
    monkeypatch.setattr(workflows, "WORKFLOW_SECONDS", 8.0)
    monkeypatch.setattr(observability, "INGESTION_SECONDS", 3.0)
    # Longer than the status is cached.
    monkeypatch.setattr(observability, "HEARTBEAT_SECONDS", 8.0)

    def run_check(name: str) -> CheckResult:
        subject = Subject(OperatedStack(choose_target(None, None, None)))
        try:
            [result] = run_checks(subject, [CHECKS[name]])
        finally:
            remains = subject.clean_up()
        # Without a token nothing was written, so nothing has to be deleted.
        assert remains == []
        return result

    yield run_check
    recovery = RecoveryHarness(stack)
    eventually(lambda: recovery.run_replay()["status"] == "complete")


def test_every_check_is_seen_failing() -> None:
    # That of the archive waits for its buffer, so it is in test_verify.py. The local stack
    # proves no backups, so that check is in test_proven_backups.py.
    assert {check for check, _, _ in BREAKAGES.values()} | {"archive", "backup-proof"} == set(CHECKS)


@pytest.mark.slow
@pytest.mark.parametrize("name", BREAKAGES)
def test_a_check_fails_on_a_stack_broken_for_it(stack: Stack, verify: Callable[[str], CheckResult], name: str) -> None:
    check, broken, sentence = BREAKAGES[name]
    with broken(stack):
        result = verify(check)
    assert result.state == "failed", result
    assert sentence in result.message, result
    assert result.hint, result
