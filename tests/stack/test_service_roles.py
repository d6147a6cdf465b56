"""The roles that AWS's own services assume. The emulator does not enforce them, so the tests simulate IAM's decision.

`SimulatePrincipalPolicy` evaluates the deployed policies, with the names of the deployed resources.
"""

import pytest

from local.stack import Stack
from ops.verify.access.services import SERVICE_ROLES
from tests.stack.roles import (
    ONLY_WITH_PROOFS,
    DeployedRoles,
    find_condition,
    list_allowed_actions,
    list_functions,
    translate_template,
)
from tests.template.rules.reading import actions, as_list, of_type, statements

pytestmark = pytest.mark.stack("second")

# The first two have only AWS's own policies; the third exists only with ArchiveReplicaBucketArn.
NOT_SIMULATED = {
    "ApiLogWriter": "apigateway",
    "DatabaseMonitoringRole": "monitoring.rds",
    "ArchiveReplicationRole": "s3",
}
SAME_ACCOUNT = {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
CONDITIONS = {
    # Firehose also serves other accounts, which must not make it write to these buckets.
    "StreamRole": {"StringEquals": {"sts:ExternalId": {"Ref": "AWS::AccountId"}}},
    "ArchiveReplicationRole": SAME_ACCOUNT,
    "DatabaseMonitoringRole": SAME_ACCOUNT,
}


DEPLOYED = {name: row for name, row in SERVICE_ROLES.items() if row.condition not in ONLY_WITH_PROOFS}


@pytest.fixture(scope="module")
def roles(stack: Stack, names: dict[str, str]) -> DeployedRoles:
    return DeployedRoles(stack, "sluice-local", names)


def test_the_table_has_every_other_role_of_the_template() -> None:
    own = {f"{name}FunctionRole" for name in list_functions()}
    others = {name for name, _ in of_type(translate_template(), "AWS::IAM::Role")} - own - set(NOT_SIMULATED)
    assert {name: find_condition(name) for name in others} == {
        name: row.condition for name, row in SERVICE_ROLES.items()
    }


@pytest.mark.parametrize("role", SERVICE_ROLES)
def test_the_table_requests_every_action_that_a_role_allows(role: str) -> None:
    assert list_allowed_actions(role) == {request.action for request in SERVICE_ROLES[role].allowed}


def test_managed_policies_allow_only_logs_traces_and_network_interfaces() -> None:
    roles = of_type(translate_template(), "AWS::IAM::Role")
    policies = [policy for _, role in roles for policy in role.get("ManagedPolicyArns", [])]
    own_policies = {policy["Ref"] for policy in policies if isinstance(policy, dict) and "Ref" in policy}
    assert own_policies == {"WorkflowLogDelivery", "FunctionsCreateNoLogGroup"}
    for _, own in of_type(translate_template(), "AWS::IAM::ManagedPolicy"):
        assert {action.split(":")[0] for action in actions(statements(own["PolicyDocument"]))} == {"logs"}
    names = {
        str(policy).rpartition("/")[2].rstrip("'}")
        for policy in policies
        if policy not in [{"Ref": name} for name in own_policies]
    }
    assert names == {
        "AWSLambdaBasicExecutionRole",
        "AWSLambdaVPCAccessExecutionRole",
        "AWSXrayWriteOnlyAccess",
        "AmazonAPIGatewayPushToCloudWatchLogs",
        "AmazonRDSEnhancedMonitoringRole",
    }


def test_only_one_service_can_assume_a_role() -> None:
    expected = {role: rights.service for role, rights in SERVICE_ROLES.items()}
    expected |= {f"{name}FunctionRole": "lambda" for name in list_functions()} | NOT_SIMULATED
    for name, role in of_type(translate_template(), "AWS::IAM::Role"):
        [statement] = role["AssumeRolePolicyDocument"]["Statement"]
        assert as_list(statement["Principal"]["Service"]) == [f"{expected[name]}.amazonaws.com"]
        assert as_list(statement["Action"]) == ["sts:AssumeRole"]
        assert statement.get("Condition") == CONDITIONS.get(name)


@pytest.mark.parametrize("role", DEPLOYED)
def test_the_decisions_on_a_service_role(roles: DeployedRoles, role: str) -> None:
    roles.check_decisions(role)
