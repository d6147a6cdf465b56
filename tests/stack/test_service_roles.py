"""The roles that AWS's own services take on. The emulator does not enforce them, so IAM is asked what it would decide.

`SimulatePrincipalPolicy` is answered from the deployed policies, with the names of what was deployed.
"""

from dataclasses import dataclass
from typing import Any

import pytest

from local.stack import Stack
from tests.stack.test_rights import STACK_NAME, allowed, functions, template
from tests.template.rules.reading import as_list, of_type

pytestmark = pytest.mark.stack("second")

ACCOUNT = "us-east-1:000000000000"
Asked = tuple[str, str]  # an action, and a resource with the outputs of the stack in braces


@dataclass(frozen=True)
class Rights:
    """Who takes a role on, and what it may do and may not."""

    service: str
    may: tuple[Asked, ...]
    may_not: tuple[Asked, ...]


def function(name: str) -> str:
    return f"arn:aws:lambda:{ACCOUNT}:function:{{{name}FunctionName}}"


def invoke(*names: str) -> tuple[Asked, ...]:
    return tuple(("lambda:InvokeFunction", function(name)) for name in names)


def batches(key: str) -> str:
    return f"arn:aws:s3:::{{BatchBucketName}}/{key}"


def archived(key: str) -> str:
    return f"arn:aws:s3:::{{ArchiveBucketName}}/{key}"


def start(workflow: str) -> Asked:
    return "states:StartExecution", f"{{{workflow}StateMachineArn}}"


DELETE_BATCH, DELETE_ARCHIVED = ("s3:DeleteObject", batches("batches/x")), ("s3:DeleteObject", archived("archive/x"))
DELETE_VERSION = ("s3:DeleteObjectVersion", archived("archive/x"))
SECRETS: tuple[Asked, ...] = (
    ("secretsmanager:GetSecretValue", "{LoaderSecretArn}"),
    ("secretsmanager:GetSecretValue", "{ReaderSecretArn}"),
)
FORBIDDEN_TO_ALL: tuple[Asked, ...] = (
    DELETE_BATCH,
    DELETE_ARCHIVED,
    DELETE_VERSION,
    *SECRETS,
    ("iam:PassRole", "*"),
    ("firehose:PutRecord", f"arn:aws:firehose:{ACCOUNT}:deliverystream/{{StreamName}}"),
)
ALERT: tuple[Asked, ...] = (
    ("sns:Publish", "{AlertsTopicArn}"),
    ("kms:GenerateDataKey", "{AlertsKeyArn}"),
    ("kms:Decrypt", "{AlertsKeyArn}"),
)
A_REPLAY = f"arn:aws:states:{ACCOUNT}:execution:{{Replay}}:x"
FOLLOW_REPLAY: tuple[Asked, ...] = (
    start("Replay"),
    ("states:DescribeExecution", A_REPLAY),
    ("states:StopExecution", A_REPLAY),
)
END_OF_REPLAY: tuple[Asked, ...] = tuple(
    (
        f"events:{action}",
        f"arn:aws:events:{ACCOUNT}:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule",
    )
    for action in ("PutRule", "PutTargets", "DescribeRule")
)
OTHER_RULE: Asked = ("events:PutRule", f"arn:aws:events:{ACCOUNT}:rule/another")

ROLES: dict[str, Rights] = {
    "StreamRole": Rights(
        "firehose",
        may=(
            *invoke("Transform"),
            ("lambda:GetFunctionConfiguration", function("Transform")),
            *(
                (f"s3:{action}", key)
                for action in ("PutObject", "GetObject", "AbortMultipartUpload")
                for key in (batches("batches/x"), batches("errors/x"), archived("archive/x"), archived("errors/x"))
            ),
            *(
                (f"s3:{action}", f"arn:aws:s3:::{bucket}")
                for action in ("ListBucket", "ListBucketMultipartUploads", "GetBucketLocation")
                for bucket in ("{BatchBucketName}", "{ArchiveBucketName}")
            ),
        ),
        may_not=(
            *invoke("Load"),
            ("s3:PutObject", batches("replays/x")),
            ("s3:PutObject", batches("rebuilds/exclusions.json")),
            ("s3:GetObject", batches("quarantine/x")),
            ("s3:PutObject", "arn:aws:s3:::another/batches/x"),
        ),
    ),
    "BatchDeliveredRole": Rights("events", may=(start("Load"),), may_not=(start("Rebuild"), *invoke("Load"))),
    "RecoveryStartRole": Rights("events", may=(start("Recover"),), may_not=(start("Rebuild"), start("Replay"))),
    "LoadBatchRole": Rights(
        "states",
        may=(*invoke("Load", "Quarantine"), *ALERT),
        may_not=(*invoke("Migrate", "Rebuild", "Rotate"), start("Replay"), ("s3:GetObject", batches("batches/x"))),
    ),
    "ReplayRole": Rights(
        "states",
        may=(
            *invoke("Plan", "Load", "Quarantine", "Report"),
            *FOLLOW_REPLAY,
            ("states:RedriveExecution", f"arn:aws:states:{ACCOUNT}:execution:{{Replay}}/x"),
            *(
                (f"s3:{action}", batches("replays/x"))
                for action in ("GetObject", "PutObject", "AbortMultipartUpload", "ListMultipartUploadParts")
            ),
        ),
        may_not=(
            *invoke("Migrate", "Rebuild", "Rotate", "RejectedWrites"),
            start("Rebuild"),
            ("s3:GetObject", batches("batches/x")),
            ("s3:PutObject", batches("batches/x")),
        ),
    ),
    "RecoverRole": Rights(
        "states",
        may=(*invoke("Lease", "HealthCheck"), *FOLLOW_REPLAY, *ALERT, *END_OF_REPLAY),
        may_not=(*invoke("Load", "Rebuild", "Rotate"), start("Rebuild"), OTHER_RULE),
    ),
    "RebuildRole": Rights(
        "states",
        may=(*invoke("Lease", "Migrate", "Rebuild", "HealthCheck"), *FOLLOW_REPLAY, *ALERT, *END_OF_REPLAY),
        may_not=(*invoke("Load", "Rotate", "RejectedWrites"), start("Recover"), OTHER_RULE),
    ),
}
# One holds nothing but AWS's own policy for it; the other is made with ArchiveReplicaBucketArn only.
NOT_ASKED = {"ApiLogWriter": "apigateway", "ArchiveReplicationRole": "s3"}
SAME_ACCOUNT = {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
CONDITIONS = {
    # Firehose serves other accounts too, which must not have it write here.
    "StreamRole": {"StringEquals": {"sts:ExternalId": {"Ref": "AWS::AccountId"}}},
    "ArchiveReplicationRole": SAME_ACCOUNT,
}


@pytest.fixture(scope="module")
def decide(stack: Stack) -> Any:
    """What IAM decides of a role, an action and a resource."""
    iam, formation = stack.aws_client("iam"), stack.aws_client("cloudformation")
    arns: dict[str, str] = {}
    key = formation.describe_stack_resource(StackName=STACK_NAME, LogicalResourceId="AlertsKey")
    names = {
        **stack.outputs,
        "Replay": stack.outputs["ReplayStateMachineArn"].rsplit(":", 1)[-1],
        "AlertsKeyArn": f"arn:aws:kms:{ACCOUNT}:key/{key['StackResourceDetail']['PhysicalResourceId']}",
    }

    def decide(role: str, asked: Asked) -> str:
        if role not in arns:
            found = formation.describe_stack_resource(StackName=STACK_NAME, LogicalResourceId=role)
            name = found["StackResourceDetail"]["PhysicalResourceId"]
            arns[role] = iam.get_role(RoleName=name)["Role"]["Arn"]
        answer = iam.simulate_principal_policy(
            PolicySourceArn=arns[role], ActionNames=[asked[0]], ResourceArns=[asked[1].format(**names)]
        )
        return str(answer["EvaluationResults"][0]["EvalDecision"])

    return decide


def test_every_other_role_of_the_template_stands_in_the_table() -> None:
    own = {f"{name}FunctionRole" for name in functions()}
    assert {name for name, _ in of_type(template(), "AWS::IAM::Role")} - own == set(ROLES) | set(NOT_ASKED)


@pytest.mark.parametrize("role", ROLES)
def test_the_table_asks_for_every_action_that_a_role_is_allowed(role: str) -> None:
    assert allowed(role) == {action for action, _ in ROLES[role].may}


def test_of_what_aws_itself_lets_roles_do_there_is_only_to_log_to_trace_and_to_be_in_a_vpc() -> None:
    roles = of_type(template(), "AWS::IAM::Role")
    given = {str(policy).rpartition("/")[2] for _, role in roles for policy in role.get("ManagedPolicyArns", [])}
    assert {policy.rstrip("'}") for policy in given} == {
        "AWSLambdaBasicExecutionRole",
        "AWSLambdaVPCAccessExecutionRole",
        "AWSXrayWriteOnlyAccess",
        "AmazonAPIGatewayPushToCloudWatchLogs",
    }


def test_a_role_is_taken_on_by_one_service_only() -> None:
    expected = {role: rights.service for role, rights in ROLES.items()}
    expected |= {f"{name}FunctionRole": "lambda" for name in functions()} | NOT_ASKED
    for name, role in of_type(template(), "AWS::IAM::Role"):
        [statement] = role["AssumeRolePolicyDocument"]["Statement"]
        assert as_list(statement["Principal"]["Service"]) == [f"{expected[name]}.amazonaws.com"]
        assert as_list(statement["Action"]) == ["sts:AssumeRole"]
        assert statement.get("Condition") == CONDITIONS.get(name)


@pytest.mark.parametrize("role", ROLES)
def test_a_service_may_and_may_not(decide: Any, role: str) -> None:
    rights = ROLES[role]
    assert {asked: decide(role, asked) for asked in rights.may} == dict.fromkeys(rights.may, "allowed")
    refused = (*rights.may_not, *FORBIDDEN_TO_ALL)
    assert {asked: decide(role, asked) for asked in refused} == dict.fromkeys(refused, "implicitDeny")
