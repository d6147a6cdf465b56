"""A request to AWS, as IAM decides on it: an action and a resource of the stack."""

import string
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Request:
    """An action, and the ARN of a resource in which names of the stack stand in braces.

    The names are the outputs of the stack, and those of `ops.verify.access.names`. A role is passed to a service.
    """

    action: str
    resource: str
    passed_to: str = ""

    def __str__(self) -> str:
        return f"{self.action} on {self.resource}{f' to {self.passed_to}' if self.passed_to else ''}"

    def resolve(self, names: Mapping[str, str]) -> "Request | None":
        """The request with the stack's own ARN; None when the stack lacks one of the names."""
        used = {name for _, name, _, _ in string.Formatter().parse(self.resource) if name}
        return replace(self, resource=self.resource.format_map(names)) if used <= names.keys() else None

    def list_context_entries(self) -> list[dict[str, Any]]:
        """The condition keys of the request that IAM does not know by itself, for its simulation."""
        if not self.passed_to:
            return []
        key = {"ContextKeyName": "iam:PassedToService", "ContextKeyType": "string"}
        return [{**key, "ContextKeyValues": [self.passed_to]}]


def _bucket_arn(bucket: str) -> str:
    return f"arn:{{Partition}}:s3:::{{{bucket}BucketName}}"


def _stream_arn(stream: str) -> str:
    return f"arn:{{Partition}}:firehose:{{Region}}:{{Account}}:deliverystream/{stream or '{StreamName}'}"


def read_object(bucket: str, key: str) -> Request:
    return Request("s3:GetObject", f"{_bucket_arn(bucket)}/{key}")


def put_object(bucket: str, key: str) -> Request:
    return Request("s3:PutObject", f"{_bucket_arn(bucket)}/{key}")


def delete_object(bucket: str, key: str) -> Request:
    return Request("s3:DeleteObject", f"{_bucket_arn(bucket)}/{key}")


def list_bucket(bucket: str) -> Request:
    return Request("s3:ListBucket", _bucket_arn(bucket))


def put_record(stream: str = "") -> Request:
    return Request("firehose:PutRecord", _stream_arn(stream))


def put_record_batch(stream: str = "") -> Request:
    return Request("firehose:PutRecordBatch", _stream_arn(stream))


def read_secret(owner: str) -> Request:
    return Request("secretsmanager:GetSecretValue", f"{{{owner}SecretArn}}")


def describe_secret(owner: str) -> Request:
    return Request("secretsmanager:DescribeSecret", f"{{{owner}SecretArn}}")


def put_secret_version(owner: str) -> Request:
    return Request("secretsmanager:PutSecretValue", f"{{{owner}SecretArn}}")


def promote_secret_version(owner: str) -> Request:
    return Request("secretsmanager:UpdateSecretVersionStage", f"{{{owner}SecretArn}}")


def start_execution(workflow: str) -> Request:
    return Request("states:StartExecution", f"{{{workflow}StateMachineArn}}")


def execution_arn(workflow: str, separator: str = ":") -> str:
    """The ARN of an execution; with `/`, of one that a Distributed Map starts."""
    return f"arn:{{Partition}}:states:{{Region}}:{{Account}}:execution:{{{workflow}}}{separator}none"


def describe_execution(workflow: str) -> Request:
    return Request("states:DescribeExecution", execution_arn(workflow))


def function_arn(function: str) -> str:
    return f"arn:{{Partition}}:lambda:{{Region}}:{{Account}}:function:{{{function}FunctionName}}"


def invoke_function(function: str) -> Request:
    return Request("lambda:InvokeFunction", function_arn(function))


def change_instance(action: str, instance: str = "another") -> Request:
    """An operation on an RDS instance that does not exist. Without its name, it is none of the stack's."""
    return Request(f"rds:{action}", f"arn:{{Partition}}:rds:{{Region}}:{{Account}}:db:{instance}")


def pass_role(role: str, service: str) -> Request:
    """Give a role of the account to a service."""
    return Request("iam:PassRole", f"arn:{{Partition}}:iam::{{Account}}:role/{role}", f"{service}.amazonaws.com")


def publish_alert() -> Request:
    return Request("sns:Publish", "{AlertsTopicArn}")


def list_roles() -> Request:
    return Request("iam:ListRoles", "*")
