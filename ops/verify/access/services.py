"""The roles that AWS's own services assume: what each may do, and some of what it may not do."""

from dataclasses import dataclass

from ops.verify.access.request import Request, execution_arn, function_arn, start_execution
from ops.verify.access.role import Permissions


@dataclass(frozen=True, kw_only=True)
class ServiceRole(Permissions):
    """The permissions of a role, and the service that assumes it."""

    service: str


def invoke_functions(*names: str) -> tuple[Request, ...]:
    return tuple(Request("lambda:InvokeFunction", function_arn(name)) for name in names)


def batch_arn(key: str) -> str:
    return f"arn:{{Partition}}:s3:::{{BatchBucketName}}/{key}"


def archive_arn(key: str) -> str:
    return f"arn:{{Partition}}:s3:::{{ArchiveBucketName}}/{key}"


DELETE_BATCH, DELETE_ARCHIVED = (
    Request("s3:DeleteObject", batch_arn("batches/x")),
    Request("s3:DeleteObject", archive_arn("archive/x")),
)
DELETE_VERSION = Request("s3:DeleteObjectVersion", archive_arn("archive/x"))
SECRETS: tuple[Request, ...] = (
    Request("secretsmanager:GetSecretValue", "{LoaderSecretArn}"),
    Request("secretsmanager:GetSecretValue", "{ReaderSecretArn}"),
)
FORBIDDEN_TO_ALL: tuple[Request, ...] = (
    DELETE_BATCH,
    DELETE_ARCHIVED,
    DELETE_VERSION,
    *SECRETS,
    Request("iam:PassRole", "*"),
    Request("firehose:PutRecord", "arn:{Partition}:firehose:{Region}:{Account}:deliverystream/{StreamName}"),
)
ALERT: tuple[Request, ...] = (
    Request("sns:Publish", "{AlertsTopicArn}"),
    Request("kms:GenerateDataKey", "{AlertsKeyArn}"),
    Request("kms:Decrypt", "{AlertsKeyArn}"),
)
REPLAY_EXECUTION = execution_arn("Replay")
FOLLOW_REPLAY: tuple[Request, ...] = (
    start_execution("Replay"),
    Request("states:DescribeExecution", REPLAY_EXECUTION),
    Request("states:StopExecution", REPLAY_EXECUTION),
)
WAIT_FOR_REPLAY: tuple[Request, ...] = tuple(
    Request(
        f"events:{action}",
        "arn:{Partition}:events:{Region}:{Account}:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule",
    )
    for action in ("PutRule", "PutTargets", "DescribeRule")
)
OTHER_RULE = Request("events:PutRule", "arn:{Partition}:events:{Region}:{Account}:rule/another")

SERVICE_ROLES: dict[str, ServiceRole] = {
    "StreamRole": ServiceRole(
        service="firehose",
        allowed=(
            *invoke_functions("Transform"),
            Request("lambda:GetFunctionConfiguration", function_arn("Transform")),
            *(
                Request(f"s3:{action}", key)
                for action in ("PutObject", "GetObject", "AbortMultipartUpload")
                for key in (
                    batch_arn("batches/x"),
                    batch_arn("errors/x"),
                    archive_arn("archive/x"),
                    archive_arn("errors/x"),
                )
            ),
            *(
                Request(f"s3:{action}", f"arn:{{Partition}}:s3:::{bucket}")
                for action in ("ListBucket", "ListBucketMultipartUploads", "GetBucketLocation")
                for bucket in ("{BatchBucketName}", "{ArchiveBucketName}")
            ),
        ),
        forbidden=(
            *invoke_functions("Load"),
            Request("s3:PutObject", batch_arn("replays/x")),
            Request("s3:PutObject", batch_arn("rebuilds/exclusions.json")),
            Request("s3:GetObject", batch_arn("quarantine/x")),
            Request("s3:PutObject", "arn:{Partition}:s3:::another/batches/x"),
        ),
    ),
    "BatchDeliveredRole": ServiceRole(
        service="events",
        allowed=(start_execution("Load"),),
        forbidden=(start_execution("Rebuild"), *invoke_functions("Load")),
    ),
    "RecoveryStartRole": ServiceRole(
        service="events",
        allowed=(start_execution("Recover"),),
        forbidden=(start_execution("Rebuild"), start_execution("Replay")),
    ),
    "LoadBatchRole": ServiceRole(
        service="states",
        allowed=(*invoke_functions("Load", "Quarantine"), *ALERT),
        forbidden=(
            *invoke_functions("Migrate", "Rebuild", "Rotate"),
            start_execution("Replay"),
            Request("s3:GetObject", batch_arn("batches/x")),
        ),
    ),
    "ReplayRole": ServiceRole(
        service="states",
        allowed=(
            *invoke_functions("Plan", "Load", "Quarantine", "Report"),
            *FOLLOW_REPLAY,
            Request("states:RedriveExecution", execution_arn("Replay", "/")),
            *(
                Request(f"s3:{action}", batch_arn("replays/x"))
                for action in ("GetObject", "PutObject", "AbortMultipartUpload", "ListMultipartUploadParts")
            ),
        ),
        forbidden=(
            *invoke_functions("Migrate", "Rebuild", "Rotate", "RejectedWrites"),
            start_execution("Rebuild"),
            Request("s3:GetObject", batch_arn("batches/x")),
            Request("s3:PutObject", batch_arn("batches/x")),
        ),
    ),
    "RecoverRole": ServiceRole(
        service="states",
        allowed=(*invoke_functions("Lease", "HealthCheck"), *FOLLOW_REPLAY, *ALERT, *WAIT_FOR_REPLAY),
        forbidden=(*invoke_functions("Load", "Rebuild", "Rotate"), start_execution("Rebuild"), OTHER_RULE),
    ),
    "RebuildRole": ServiceRole(
        service="states",
        allowed=(
            *invoke_functions("Lease", "Migrate", "Rebuild", "HealthCheck"),
            *FOLLOW_REPLAY,
            *ALERT,
            *WAIT_FOR_REPLAY,
        ),
        forbidden=(*invoke_functions("Load", "Rotate", "RejectedWrites"), start_execution("Recover"), OTHER_RULE),
    ),
    "RestoreRole": ServiceRole(
        service="states",
        condition="Restorable",
        allowed=(
            *invoke_functions("Lease", "Restore", "Migrate", "HealthCheck"),
            start_execution("Recover"),
            Request("states:DescribeExecution", execution_arn("Recover")),
            Request("states:StopExecution", execution_arn("Recover")),
            *ALERT,
            *WAIT_FOR_REPLAY,
        ),
        forbidden=(*invoke_functions("Load", "Rotate", "Rebuild"), start_execution("Replay"), OTHER_RULE),
    ),
    "ProveBackupRole": ServiceRole(
        service="states",
        condition="BackupsProven",
        allowed=(*invoke_functions("Proof", "ProofInstance"), *ALERT),
        forbidden=(
            *invoke_functions("Load", "Migrate", "Restore", "Rotate"),
            *(start_execution(workflow) for workflow in ("Recover", "Replay", "Restore")),
            Request("s3:GetObject", batch_arn("batches/x")),
        ),
    ),
    "ProofStartRole": ServiceRole(
        service="events",
        condition="BackupsProven",
        allowed=(start_execution("ProveBackup"),),
        forbidden=(
            *(start_execution(workflow) for workflow in ("Recover", "Rebuild", "Restore")),
            *invoke_functions("Proof"),
        ),
    ),
}
