"""The permissions of each function on AWS, as one table of attempts that change nothing.

If IAM allows an attempt, it still fails at the service: the object does not exist, or the request is invalid.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol


class Caller(Protocol):
    """A caller with the role of a function in the deployed stack."""

    def client(self, service: str) -> Any:
        """A boto3 client with the credentials of the role. It does not validate requests before it sends them."""
        ...

    def read_output(self, output: str) -> str:
        """An output of the stack, `AdminSecretArn` or `CacheSecretArn`."""
        ...


@dataclass(frozen=True)
class Attempt:
    """A call of AWS: its description, the IAM action, and the call itself."""

    description: str
    action: str
    call: Callable[[Caller], object] = field(repr=False, compare=False)


@dataclass(frozen=True)
class Permissions:
    """The attempts that a function is allowed, and those that it is not, in addition to `FORBIDDEN_TO_ALL`."""

    allowed: tuple[Attempt, ...]
    forbidden: tuple[Attempt, ...]


UNUSED_ETAG = '"00000000000000000000000000000000"'  # no object has this ETag


def read_object(bucket: str, key: str) -> Attempt:
    return Attempt(
        f"read {key} in the {bucket.lower()} bucket",
        "s3:GetObject",
        lambda caller: caller.client("s3").get_object(Bucket=caller.read_output(f"{bucket}BucketName"), Key=key),
    )


def put_object(bucket: str, key: str) -> Attempt:
    """A conditional put on an object that does not exist. S3 rejects it if IAM allows it."""
    return Attempt(
        f"put {key} into the {bucket.lower()} bucket",
        "s3:PutObject",
        lambda caller: caller.client("s3").put_object(
            Bucket=caller.read_output(f"{bucket}BucketName"), Key=key, Body=b"", IfMatch=UNUSED_ETAG
        ),
    )


def delete_object(bucket: str, key: str) -> Attempt:
    return Attempt(
        f"delete {key} in the {bucket.lower()} bucket",
        "s3:DeleteObject",
        lambda caller: caller.client("s3").delete_object(Bucket=caller.read_output(f"{bucket}BucketName"), Key=key),
    )


def list_bucket(bucket: str) -> Attempt:
    return Attempt(
        f"list the {bucket.lower()} bucket",
        "s3:ListBucket",
        lambda caller: caller.client("s3").list_objects_v2(Bucket=caller.read_output(f"{bucket}BucketName"), MaxKeys=1),
    )


def put_records(method: str, stream: str = "") -> Attempt:
    """A put without a record, which Firehose rejects."""
    action = {"put_record": "firehose:PutRecord", "put_record_batch": "firehose:PutRecordBatch"}[method]
    return Attempt(
        f"{method} on {stream or 'the stream'}",
        action,
        lambda caller: getattr(caller.client("firehose"), method)(
            DeliveryStreamName=stream or caller.read_output("StreamName")
        ),
    )


def read_secret(owner: str) -> Attempt:
    return Attempt(
        f"read the {owner.lower()}'s secret",
        "secretsmanager:GetSecretValue",
        lambda caller: caller.client("secretsmanager").get_secret_value(
            SecretId=caller.read_output(f"{owner}SecretArn")
        ),
    )


def describe_secret(owner: str) -> Attempt:
    return Attempt(
        f"describe the {owner.lower()}'s secret",
        "secretsmanager:DescribeSecret",
        lambda caller: caller.client("secretsmanager").describe_secret(
            SecretId=caller.read_output(f"{owner}SecretArn")
        ),
    )


def put_secret_version(owner: str) -> Attempt:
    """A version with a stage that nothing reads."""
    return Attempt(
        f"put a version of the {owner.lower()}'s secret",
        "secretsmanager:PutSecretValue",
        lambda caller: caller.client("secretsmanager").put_secret_value(
            SecretId=caller.read_output(f"{owner}SecretArn"), SecretString="{}", VersionStages=["TRIED"]
        ),
    )


def promote_secret_version(owner: str) -> Attempt:
    """Without a version, which Secrets Manager rejects."""
    return Attempt(
        f"promote a version of the {owner.lower()}'s secret",
        "secretsmanager:UpdateSecretVersionStage",
        lambda caller: caller.client("secretsmanager").update_secret_version_stage(
            SecretId=caller.read_output(f"{owner}SecretArn")
        ),
    )


def describe_execution(workflow: str) -> Attempt:
    def describe(caller: Caller) -> object:
        arn = caller.read_output(f"{workflow}StateMachineArn").replace(":stateMachine:", ":execution:")
        return caller.client("stepfunctions").describe_execution(executionArn=f"{arn}:none")

    return Attempt(f"describe an execution of {workflow}", "states:DescribeExecution", describe)


def start_execution(workflow: str) -> Attempt:
    """With an input that is not JSON, which Step Functions rejects."""
    return Attempt(
        f"start {workflow}",
        "states:StartExecution",
        lambda caller: caller.client("stepfunctions").start_execution(
            stateMachineArn=caller.read_output(f"{workflow}StateMachineArn"), input="not JSON"
        ),
    )


def invoke_function(function: str) -> Attempt:
    return Attempt(
        f"invoke {function}",
        "lambda:InvokeFunction",
        lambda caller: caller.client("lambda").invoke(
            FunctionName=caller.read_output(f"{function}FunctionName"), InvocationType="DryRun"
        ),
    )


def publish_alert() -> Attempt:
    """A message without text, which SNS rejects."""
    return Attempt(
        "publish an alert",
        "sns:Publish",
        lambda caller: caller.client("sns").publish(TopicArn=caller.read_output("AlertsTopicArn"), Message=""),
    )


def list_roles() -> Attempt:
    return Attempt("list roles", "iam:ListRoles", lambda caller: caller.client("iam").list_roles(MaxItems=1))


BATCH_KEY, ARCHIVE_KEY = "batches/tried.jsonl.gz", "archive/tried.gz"
FORBIDDEN_TO_ALL = (
    delete_object("Batch", BATCH_KEY),
    delete_object("Archive", ARCHIVE_KEY),
    put_object("Archive", ARCHIVE_KEY),
    put_object("Batch", BATCH_KEY),
    start_execution("Replay"),
    invoke_function("RejectedWrites"),
    publish_alert(),
    list_roles(),
)

WRITE_FUNCTION = Permissions(
    allowed=(put_records("put_record"), put_records("put_record_batch")),
    forbidden=(
        put_records("put_record", stream="another-stream"),
        put_records("put_record_batch", stream="another-stream"),
        read_secret("Loader"),
        read_secret("Reader"),
        read_secret("Cache"),
        read_object("Batch", BATCH_KEY),
        list_bucket("Batch"),
        read_object("Archive", ARCHIVE_KEY),
        list_bucket("Archive"),
    ),
)
NO_PERMISSIONS = Permissions(
    allowed=(),
    forbidden=(
        put_records("put_record"),
        read_secret("Reader"),
        read_secret("Loader"),
        read_secret("Cache"),
        read_object("Batch", BATCH_KEY),
        list_bucket("Batch"),
    ),
)

PERMISSIONS: dict[str, Permissions] = {
    "Post": WRITE_FUNCTION,
    "Put": WRITE_FUNCTION,
    "Delete": WRITE_FUNCTION,
    "Fallback": NO_PERMISSIONS,
    "OpenApi": NO_PERMISSIONS,
    "Transform": NO_PERMISSIONS,
    "Get": Permissions(
        allowed=(read_secret("Reader"), read_secret("Cache")),
        forbidden=(
            read_secret("Loader"),
            read_secret("Admin"),
            put_records("put_record"),
            read_object("Batch", BATCH_KEY),
            list_bucket("Batch"),
        ),
    ),
    "Load": Permissions(
        allowed=(
            read_object("Batch", BATCH_KEY),
            read_object("Archive", ARCHIVE_KEY),
            list_bucket("Batch"),
            list_bucket("Archive"),
            read_object("Batch", "rebuilds/exclusions.json"),
            read_secret("Loader"),
            read_secret("Cache"),
        ),
        forbidden=(
            read_secret("Admin"),
            read_secret("Reader"),
            put_object("Batch", "rebuilds/exclusions.json"),
            read_object("Batch", "rebuilds/lease.json"),
            put_object("Batch", "quarantine/tried"),
            put_records("put_record"),
        ),
    ),
    "Quarantine": Permissions(
        allowed=(read_object("Batch", BATCH_KEY), put_object("Batch", "quarantine/tried")),
        forbidden=(
            delete_object("Batch", "quarantine/tried"),
            read_object("Archive", ARCHIVE_KEY),
            read_secret("Loader"),
        ),
    ),
    "Plan": Permissions(
        allowed=(
            list_bucket("Batch"),
            list_bucket("Archive"),
            put_object("Batch", "replays/tried"),
            read_secret("Reader"),
        ),
        forbidden=(
            read_object("Batch", BATCH_KEY),
            read_object("Archive", ARCHIVE_KEY),
            read_secret("Loader"),
            read_secret("Admin"),
        ),
    ),
    "Report": Permissions(
        allowed=(read_object("Batch", "replays/tried"), put_object("Batch", "replays/tried"), list_bucket("Batch")),
        forbidden=(
            read_object("Batch", BATCH_KEY),
            list_bucket("Archive"),
            read_secret("Reader"),
            read_secret("Loader"),
        ),
    ),
    "Lease": Permissions(
        allowed=(
            read_object("Batch", "recovery/lease.json"),
            put_object("Batch", "recovery/lease.json"),
            read_object("Batch", "recovery/alert.json"),
            put_object("Batch", "recovery/alert.json"),
            read_object("Batch", "rebuilds/lease.json"),
            put_object("Batch", "rebuilds/lease.json"),
            list_bucket("Batch"),
            list_bucket("Archive"),
            describe_execution("Recover"),
            describe_execution("Rebuild"),
        ),
        forbidden=(
            put_object("Batch", "rebuilds/exclusions.json"),
            read_object("Batch", BATCH_KEY),
            describe_execution("Replay"),
            read_secret("Reader"),
        ),
    ),
    "HealthCheck": Permissions(
        allowed=(read_secret("Loader"), read_secret("Reader")),
        forbidden=(
            read_secret("Admin"),
            list_bucket("Batch"),
            read_object("Batch", BATCH_KEY),
            put_records("put_record"),
        ),
    ),
    "Rebuild": Permissions(
        allowed=(
            read_object("Batch", "rebuilds/exclusions.json"),
            put_object("Batch", "rebuilds/exclusions.json"),
            put_object("Batch", "replays/tried"),
            list_bucket("Batch"),
            read_secret("Admin"),
        ),
        forbidden=(
            read_secret("Loader"),
            put_object("Batch", "rebuilds/lease.json"),
            put_secret_version("Admin"),
            read_object("Batch", BATCH_KEY),
            list_bucket("Archive"),
        ),
    ),
    "RejectedWrites": Permissions(
        allowed=(
            read_object("Batch", "batches/2026/01/01/00/retry-tried"),
            put_object("Batch", "batches/2026/01/01/00/retry-tried"),
            put_object("Batch", "retries/tried"),
            delete_object("Batch", "retries/tried"),
            list_bucket("Batch"),
            read_secret("Loader"),
        ),
        forbidden=(
            read_object("Batch", BATCH_KEY),
            delete_object("Batch", "batches/2026/01/01/00/retry-tried"),
            read_secret("Admin"),
            read_secret("Reader"),
            list_bucket("Archive"),
        ),
    ),
    "Migrate": Permissions(
        allowed=(read_secret("Admin"), read_secret("Loader"), read_secret("Reader")),
        forbidden=(
            put_secret_version("Admin"),
            put_secret_version("Loader"),
            list_bucket("Batch"),
            put_records("put_record"),
        ),
    ),
    "Rotate": Permissions(
        allowed=(
            read_secret("Admin"),
            read_secret("Loader"),
            read_secret("Reader"),
            describe_secret("Loader"),
            describe_secret("Reader"),
            put_secret_version("Loader"),
            put_secret_version("Reader"),
            promote_secret_version("Loader"),
            promote_secret_version("Reader"),
        ),
        # The local stack does not create the database, so the admin secret does not belong to it.
        forbidden=(
            read_secret("Cache"),
            put_secret_version("Admin"),
            promote_secret_version("Admin"),
            list_bucket("Batch"),
            read_object("Batch", BATCH_KEY),
            put_records("put_record"),
        ),
    ),
}
