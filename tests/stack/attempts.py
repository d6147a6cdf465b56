"""Try a request of the tables of permissions with a role's own credentials, so that nothing changes.

If IAM allows an attempt, it still fails at the service: the object does not exist, or the request is invalid.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from botocore import xform_name

from ops.verify.access.request import Request

ClientFactory = Callable[[str], Any]
"""Creates a boto3 client by the name of its service. It does not validate requests before it sends them."""

UNUSED_ETAG = '"00000000000000000000000000000000"'  # no object has this ETag


def split_object_arn(arn: str) -> dict[str, str]:
    bucket, _, key = arn.rpartition(":::")[2].partition("/")
    return {"Bucket": bucket, "Key": key}


def get_name(arn: str) -> str:
    """The last part of an ARN."""
    return arn.replace("/", ":").rpartition(":")[2]


def _request_instance(client: ClientFactory, arn: str, *, operation: str, name: str) -> object:
    value = arn if name == "ResourceName" else get_name(arn)
    return getattr(client("rds"), xform_name(operation))(**{name: value})


ATTEMPTS: dict[str, Callable[[ClientFactory, str], object]] = {
    "s3:GetObject": lambda client, arn: client("s3").get_object(**split_object_arn(arn)),
    # A conditional put on an object that does not exist.
    "s3:PutObject": lambda client, arn: client("s3").put_object(**split_object_arn(arn), Body=b"", IfMatch=UNUSED_ETAG),
    "s3:DeleteObject": lambda client, arn: client("s3").delete_object(**split_object_arn(arn)),
    "s3:ListBucket": lambda client, arn: client("s3").list_objects_v2(
        Bucket=split_object_arn(arn)["Bucket"], MaxKeys=1
    ),
    # Without a record.
    "firehose:PutRecord": lambda client, arn: client("firehose").put_record(DeliveryStreamName=get_name(arn)),
    "firehose:PutRecordBatch": lambda client, arn: client("firehose").put_record_batch(
        DeliveryStreamName=get_name(arn)
    ),
    "secretsmanager:GetSecretValue": lambda client, arn: client("secretsmanager").get_secret_value(SecretId=arn),
    "secretsmanager:DescribeSecret": lambda client, arn: client("secretsmanager").describe_secret(SecretId=arn),
    # A version with a stage that nothing reads.
    "secretsmanager:PutSecretValue": lambda client, arn: client("secretsmanager").put_secret_value(
        SecretId=arn, SecretString="{}", VersionStages=["TRIED"]
    ),
    # Without a version.
    "secretsmanager:UpdateSecretVersionStage": lambda client, arn: client("secretsmanager").update_secret_version_stage(
        SecretId=arn
    ),
    "states:DescribeExecution": lambda client, arn: client("stepfunctions").describe_execution(executionArn=arn),
    # With an input that is not JSON.
    "states:StartExecution": lambda client, arn: client("stepfunctions").start_execution(
        stateMachineArn=arn, input="not JSON"
    ),
    "lambda:InvokeFunction": lambda client, arn: client("lambda").invoke(
        FunctionName=get_name(arn), InvocationType="DryRun"
    ),
    # Without text.
    "sns:Publish": lambda client, arn: client("sns").publish(TopicArn=arn, Message=""),
    # Of an instance, or of the snapshots and backups of one, that does not exist.
    **{
        f"rds:{operation}": partial(_request_instance, operation=operation, name=name)
        for operation, name in (
            ("DescribeDBInstances", "DBInstanceIdentifier"),
            ("DescribeDBInstanceAutomatedBackups", "DBInstanceIdentifier"),
            ("DescribeDBSnapshots", "DBInstanceIdentifier"),
            ("ModifyDBInstance", "DBInstanceIdentifier"),
            ("RebootDBInstance", "DBInstanceIdentifier"),
            ("PromoteReadReplica", "DBInstanceIdentifier"),
            ("DeleteDBInstance", "DBInstanceIdentifier"),
            ("CreateDBInstanceReadReplica", "DBInstanceIdentifier"),
            ("RestoreDBInstanceToPointInTime", "TargetDBInstanceIdentifier"),
            ("RestoreDBInstanceFromDBSnapshot", "DBInstanceIdentifier"),
            ("ListTagsForResource", "ResourceName"),
            ("AddTagsToResource", "ResourceName"),
        )
    },
    "iam:ListRoles": lambda client, _: client("iam").list_roles(MaxItems=1),
}


def try_request(client: ClientFactory, request: Request) -> None:
    """Send the request. Raises ClientError."""
    ATTEMPTS[request.action](client, request.resource)
