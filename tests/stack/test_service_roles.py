"""The roles that AWS's own services assume. The emulator does not enforce them, so the tests simulate IAM's decision.

`SimulatePrincipalPolicy` evaluates the deployed policies, with the names of the deployed resources.
"""

from dataclasses import dataclass
from typing import Any

import pytest

from local.stack import Stack
from tests.stack.test_rights import STACK_NAME, list_allowed_actions, list_functions, translate_template
from tests.template.rules.reading import actions, as_list, of_type, statements

pytestmark = pytest.mark.stack("second")

ACCOUNT = "us-east-1:000000000000"
Request = tuple[str, str]  # an action, and a resource with the outputs of the stack in braces


@dataclass(frozen=True)
class RolePermissions:
    """The service that assumes a role, and the requests that the role is allowed and not allowed."""

    service: str
    allowed: tuple[Request, ...]
    forbidden: tuple[Request, ...]


def function_arn(name: str) -> str:
    return f"arn:aws:lambda:{ACCOUNT}:function:{{{name}FunctionName}}"


def invoke_functions(*names: str) -> tuple[Request, ...]:
    return tuple(("lambda:InvokeFunction", function_arn(name)) for name in names)


def batch_arn(key: str) -> str:
    return f"arn:aws:s3:::{{BatchBucketName}}/{key}"


def archive_arn(key: str) -> str:
    return f"arn:aws:s3:::{{ArchiveBucketName}}/{key}"


def start_execution(workflow: str) -> Request:
    return "states:StartExecution", f"{{{workflow}StateMachineArn}}"


DELETE_BATCH, DELETE_ARCHIVED = (
    ("s3:DeleteObject", batch_arn("batches/x")),
    ("s3:DeleteObject", archive_arn("archive/x")),
)
DELETE_VERSION = ("s3:DeleteObjectVersion", archive_arn("archive/x"))
SECRETS: tuple[Request, ...] = (
    ("secretsmanager:GetSecretValue", "{LoaderSecretArn}"),
    ("secretsmanager:GetSecretValue", "{ReaderSecretArn}"),
)
FORBIDDEN_TO_ALL: tuple[Request, ...] = (
    DELETE_BATCH,
    DELETE_ARCHIVED,
    DELETE_VERSION,
    *SECRETS,
    ("iam:PassRole", "*"),
    ("firehose:PutRecord", f"arn:aws:firehose:{ACCOUNT}:deliverystream/{{StreamName}}"),
)
ALERT: tuple[Request, ...] = (
    ("sns:Publish", "{AlertsTopicArn}"),
    ("kms:GenerateDataKey", "{AlertsKeyArn}"),
    ("kms:Decrypt", "{AlertsKeyArn}"),
)
REPLAY_EXECUTION = f"arn:aws:states:{ACCOUNT}:execution:{{Replay}}:x"
FOLLOW_REPLAY: tuple[Request, ...] = (
    start_execution("Replay"),
    ("states:DescribeExecution", REPLAY_EXECUTION),
    ("states:StopExecution", REPLAY_EXECUTION),
)
WAIT_FOR_REPLAY: tuple[Request, ...] = tuple(
    (
        f"events:{action}",
        f"arn:aws:events:{ACCOUNT}:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule",
    )
    for action in ("PutRule", "PutTargets", "DescribeRule")
)
OTHER_RULE: Request = ("events:PutRule", f"arn:aws:events:{ACCOUNT}:rule/another")

ROLES: dict[str, RolePermissions] = {
    "StreamRole": RolePermissions(
        "firehose",
        allowed=(
            *invoke_functions("Transform"),
            ("lambda:GetFunctionConfiguration", function_arn("Transform")),
            *(
                (f"s3:{action}", key)
                for action in ("PutObject", "GetObject", "AbortMultipartUpload")
                for key in (
                    batch_arn("batches/x"),
                    batch_arn("errors/x"),
                    archive_arn("archive/x"),
                    archive_arn("errors/x"),
                )
            ),
            *(
                (f"s3:{action}", f"arn:aws:s3:::{bucket}")
                for action in ("ListBucket", "ListBucketMultipartUploads", "GetBucketLocation")
                for bucket in ("{BatchBucketName}", "{ArchiveBucketName}")
            ),
        ),
        forbidden=(
            *invoke_functions("Load"),
            ("s3:PutObject", batch_arn("replays/x")),
            ("s3:PutObject", batch_arn("rebuilds/exclusions.json")),
            ("s3:GetObject", batch_arn("quarantine/x")),
            ("s3:PutObject", "arn:aws:s3:::another/batches/x"),
        ),
    ),
    "BatchDeliveredRole": RolePermissions(
        "events", allowed=(start_execution("Load"),), forbidden=(start_execution("Rebuild"), *invoke_functions("Load"))
    ),
    "RecoveryStartRole": RolePermissions(
        "events",
        allowed=(start_execution("Recover"),),
        forbidden=(start_execution("Rebuild"), start_execution("Replay")),
    ),
    "LoadBatchRole": RolePermissions(
        "states",
        allowed=(*invoke_functions("Load", "Quarantine"), *ALERT),
        forbidden=(
            *invoke_functions("Migrate", "Rebuild", "Rotate"),
            start_execution("Replay"),
            ("s3:GetObject", batch_arn("batches/x")),
        ),
    ),
    "ReplayRole": RolePermissions(
        "states",
        allowed=(
            *invoke_functions("Plan", "Load", "Quarantine", "Report"),
            *FOLLOW_REPLAY,
            ("states:RedriveExecution", f"arn:aws:states:{ACCOUNT}:execution:{{Replay}}/x"),
            *(
                (f"s3:{action}", batch_arn("replays/x"))
                for action in ("GetObject", "PutObject", "AbortMultipartUpload", "ListMultipartUploadParts")
            ),
        ),
        forbidden=(
            *invoke_functions("Migrate", "Rebuild", "Rotate", "RejectedWrites"),
            start_execution("Rebuild"),
            ("s3:GetObject", batch_arn("batches/x")),
            ("s3:PutObject", batch_arn("batches/x")),
        ),
    ),
    "RecoverRole": RolePermissions(
        "states",
        allowed=(*invoke_functions("Lease", "HealthCheck"), *FOLLOW_REPLAY, *ALERT, *WAIT_FOR_REPLAY),
        forbidden=(*invoke_functions("Load", "Rebuild", "Rotate"), start_execution("Rebuild"), OTHER_RULE),
    ),
    "RebuildRole": RolePermissions(
        "states",
        allowed=(
            *invoke_functions("Lease", "Migrate", "Rebuild", "HealthCheck"),
            *FOLLOW_REPLAY,
            *ALERT,
            *WAIT_FOR_REPLAY,
        ),
        forbidden=(*invoke_functions("Load", "Rotate", "RejectedWrites"), start_execution("Recover"), OTHER_RULE),
    ),
}
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
def decide(stack: Stack) -> Any:
    """Simulates the decision of IAM on a role, an action and a resource."""
    iam, formation = stack.aws_client("iam"), stack.aws_client("cloudformation")
    arns: dict[str, str] = {}
    key = formation.describe_stack_resource(StackName=STACK_NAME, LogicalResourceId="AlertsKey")
    names = {
        **stack.outputs,
        "Replay": stack.outputs["ReplayStateMachineArn"].rsplit(":", 1)[-1],
        "AlertsKeyArn": f"arn:aws:kms:{ACCOUNT}:key/{key['StackResourceDetail']['PhysicalResourceId']}",
    }

    def decide(role: str, request: Request) -> str:
        if role not in arns:
            resource = formation.describe_stack_resource(StackName=STACK_NAME, LogicalResourceId=role)
            name = resource["StackResourceDetail"]["PhysicalResourceId"]
            arns[role] = iam.get_role(RoleName=name)["Role"]["Arn"]
        answer = iam.simulate_principal_policy(
            PolicySourceArn=arns[role], ActionNames=[request[0]], ResourceArns=[request[1].format(**names)]
        )
        return str(answer["EvaluationResults"][0]["EvalDecision"])

    return decide


def test_the_table_has_every_other_role_of_the_template() -> None:
    own = {f"{name}FunctionRole" for name in list_functions()}
    assert {name for name, _ in of_type(translate_template(), "AWS::IAM::Role")} - own == set(ROLES) | set(
        NOT_SIMULATED
    )


@pytest.mark.parametrize("role", ROLES)
def test_the_table_requests_every_action_that_a_role_allows(role: str) -> None:
    assert list_allowed_actions(role) == {action for action, _ in ROLES[role].allowed}


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
    expected = {role: rights.service for role, rights in ROLES.items()}
    expected |= {f"{name}FunctionRole": "lambda" for name in list_functions()} | NOT_SIMULATED
    for name, role in of_type(translate_template(), "AWS::IAM::Role"):
        [statement] = role["AssumeRolePolicyDocument"]["Statement"]
        assert as_list(statement["Principal"]["Service"]) == [f"{expected[name]}.amazonaws.com"]
        assert as_list(statement["Action"]) == ["sts:AssumeRole"]
        assert statement.get("Condition") == CONDITIONS.get(name)


@pytest.mark.parametrize("role", ROLES)
def test_the_decisions_on_a_service_role(decide: Any, role: str) -> None:
    rights = ROLES[role]
    assert {request: decide(role, request) for request in rights.allowed} == dict.fromkeys(rights.allowed, "allowed")
    refused = (*rights.forbidden, *FORBIDDEN_TO_ALL)
    assert {request: decide(role, request) for request in refused} == dict.fromkeys(refused, "implicitDeny")
