"""Stacks that prove their backups, with a database of their own and with an existing one: permissions, and `verify`."""

import datetime
import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from local.stack import Stack
from ops.aws import Stack as OperatedStack
from ops.aws import choose_target
from ops.checks import CheckResult
from ops.verify import permissions
from ops.verify.access import functions
from ops.verify.access.names import read_names
from ops.verify.access.request import Request
from ops.verify.access.services import SERVICE_ROLES
from ops.verify.catalogue import CHECKS
from ops.verify.run import run_checks
from ops.verify.subject import Subject
from tests.stack.inventory import list_resources, remove_retained_resources
from tests.stack.roles import ONLY_WITH_PROOFS, DeployedRoles, list_allowed_cases, list_forbidden_cases
from tests.stack.second_stack import NAME, SecondStack, leave_out_migration

pytestmark = [pytest.mark.stack("second"), pytest.mark.slow]

FUNCTIONS = {name: row for name, row in functions.FUNCTIONS.items() if row.condition in ONLY_WITH_PROOFS}


@pytest.fixture(scope="module", params=["own", "existing"])
def operated(stack: Stack, request: pytest.FixtureRequest) -> Iterator[OperatedStack]:
    """A stack in the emulator of the local one, with its own database or the existing one. Nothing of it remains."""
    existing = list_resources(stack)
    second = SecondStack(stack)
    try:
        if request.param == "own":
            monitored = {"BackupProof": "weekly", "DatabaseMonitoringSeconds": "60"}
            second.deploy(leave_out_migration, provision_database=True, **monitored)
        else:
            second.deploy(BackupProof="weekly")
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("SLUICE_LOCAL", str(stack.folder.root))
            yield OperatedStack(replace(choose_target(None, None, None), name=NAME))
    finally:
        second.delete()
        second.drop_database()
        remove_retained_resources(stack, list_resources(stack) - existing)


@pytest.fixture(scope="module")
def own_names(operated: OperatedStack) -> dict[str, str]:
    names = read_names(operated)
    # CloudFormation's physical id of a secret is its ARN. In the emulator, it is its name.
    secret = operated.client("secretsmanager").describe_secret(SecretId=names["AdminSecretArn"])
    return {**names, "AdminSecretArn": secret["ARN"]}


@pytest.fixture(scope="module")
def roles(stack: Stack, own_names: dict[str, str]) -> DeployedRoles:
    return DeployedRoles(stack, NAME, own_names)


@pytest.mark.parametrize(("function", "iam_request"), list_allowed_cases(FUNCTIONS))
def test_a_function_is_allowed(roles: DeployedRoles, function: str, iam_request: Request) -> None:
    assert roles.is_allowed(function, iam_request)


@pytest.mark.parametrize(("function", "iam_request"), list_forbidden_cases(FUNCTIONS))
def test_a_function_is_not_allowed(roles: DeployedRoles, function: str, iam_request: Request) -> None:
    assert not roles.is_allowed(function, iam_request)


@pytest.mark.parametrize("role", [name for name, row in SERVICE_ROLES.items() if row.condition in ONLY_WITH_PROOFS])
def test_the_decisions_on_a_service_role(roles: DeployedRoles, role: str) -> None:
    roles.check_decisions(role)


@pytest.mark.parametrize("operated", ["own"], indirect=True)
def test_a_restore_passes_the_monitoring_role_to_rds_only(roles: DeployedRoles) -> None:
    row = functions.FUNCTIONS["Restore"]
    allowed, forbidden = (
        [request for request in requests if request.action == "iam:PassRole"]
        for requests in (row.allowed, row.forbidden)
    )
    assert (len(allowed), len(forbidden)) == (1, 2)
    decisions = [roles.simulate("RestoreFunctionRole", request) for request in (*allowed, *forbidden)]
    assert decisions == ["allowed", "implicitDeny", "implicitDeny"]


def test_the_check_of_the_permissions_asks_for_every_role(
    operated: OperatedStack, own_names: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(permissions, "read_names", lambda _stack: own_names)
    count = len(functions.FUNCTIONS) + len(SERVICE_ROLES)
    assert permissions.run_permissions(Subject(operated)).startswith(f"{count} roles, ")


def check_backups(operated: OperatedStack) -> CheckResult:
    [result] = run_checks(Subject(operated), [CHECKS["backup-proof"]])
    return result


@pytest.mark.parametrize(
    ("days", "outcome", "sentence"),
    [(9, "proven", "No backup was proven for 9 d"), (1, "different", "did not succeed: 1 table differs.")],
)
def test_the_check_of_backups_fails_after_a_late_or_failed_proof(
    operated: OperatedStack, days: int, outcome: str, sentence: str
) -> None:
    fresh = check_backups(operated)
    assert (fresh.state, fresh.message.partition(";")[0]) == ("ok", "no proof yet"), fresh
    record = {"Bucket": operated.outputs["BatchBucketName"], "Key": "proofs/record.json"}
    proven = (datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=days)).isoformat()
    last = {"outcome": outcome, "summary": "1 table differs."}
    s3 = operated.client("s3")
    s3.put_object(**record, Body=json.dumps({"since": proven, "proven_at": proven, "last": last}))
    try:
        broken = check_backups(operated)
    finally:
        s3.delete_object(**record)
    assert broken.state == "failed"
    assert sentence in broken.message
    assert broken.hint
