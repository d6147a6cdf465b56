"""The roles that AWS's own services assume. The emulator does not enforce them, so the tests simulate IAM's decision.

`SimulatePrincipalPolicy` evaluates the deployed policies, with the names of the deployed resources.
"""

from typing import Any

import pytest

from local.stack import Stack
from ops.verify.access.request import Request
from ops.verify.access.services import FORBIDDEN_TO_ALL, SERVICE_ROLES
from tests.stack.test_rights import STACK_NAME, list_allowed_actions, list_functions, translate_template
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


@pytest.fixture(scope="module")
def decide(stack: Stack, names: dict[str, str]) -> Any:
    """Simulates the decision of IAM on a role and a request."""
    iam, formation = stack.aws_client("iam"), stack.aws_client("cloudformation")
    arns: dict[str, str] = {}

    def decide(role: str, request: Request) -> str:
        if role not in arns:
            resource = formation.describe_stack_resource(StackName=STACK_NAME, LogicalResourceId=role)
            name = resource["StackResourceDetail"]["PhysicalResourceId"]
            arns[role] = iam.get_role(RoleName=name)["Role"]["Arn"]
        resolved = request.resolve(names)
        assert resolved, f"the stack has no name of {request}"
        answer = iam.simulate_principal_policy(
            PolicySourceArn=arns[role], ActionNames=[resolved.action], ResourceArns=[resolved.resource]
        )
        return str(answer["EvaluationResults"][0]["EvalDecision"])

    return decide


def test_the_table_has_every_other_role_of_the_template() -> None:
    own = {f"{name}FunctionRole" for name in list_functions()}
    assert {name for name, _ in of_type(translate_template(), "AWS::IAM::Role")} - own == set(SERVICE_ROLES) | set(
        NOT_SIMULATED
    )


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


@pytest.mark.parametrize("role", SERVICE_ROLES)
def test_the_decisions_on_a_service_role(decide: Any, role: str) -> None:
    rights = SERVICE_ROLES[role]
    assert {request: decide(role, request) for request in rights.allowed} == dict.fromkeys(rights.allowed, "allowed")
    refused = (*rights.forbidden, *FORBIDDEN_TO_ALL)
    assert {request: decide(role, request) for request in refused} == dict.fromkeys(refused, "implicitDeny")
