"""What each function may do on AWS, and what it may not: one table, in the words of tries that change nothing.

A try that is let through ends at an object that is not there, or at a request that the service itself finds wanting;
one that is not ends at IAM.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol


class Caller(Protocol):
    """Someone with a role, in the deployed stack."""

    def client(self, service: str) -> Any:
        """An SDK client with the role's credentials, which checks no request before it sends it."""
        ...

    def named(self, output: str) -> str:
        """An output of the stack, `AdminSecretArn` or `CacheSecretArn`."""
        ...


@dataclass(frozen=True)
class Try:
    """One call of AWS: what it is called here, the action that IAM sees, and the call."""

    words: str
    action: str
    call: Callable[[Caller], object] = field(repr=False, compare=False)


@dataclass(frozen=True)
class Rights:
    """What a function may do, and what it may not beside what nobody may (`FORBIDDEN_TO_ALL`)."""

    may: tuple[Try, ...]
    may_not: tuple[Try, ...]


NOWHERE = '"00000000000000000000000000000000"'  # an ETag that no object has


def reads(bucket: str, key: str) -> Try:
    return Try(
        f"read {key} in the {bucket.lower()} bucket",
        "s3:GetObject",
        lambda caller: caller.client("s3").get_object(Bucket=caller.named(f"{bucket}BucketName"), Key=key),
    )


def puts(bucket: str, key: str) -> Try:
    """A put over an object that is not there, which S3 refuses once IAM did not."""
    return Try(
        f"put {key} into the {bucket.lower()} bucket",
        "s3:PutObject",
        lambda caller: caller.client("s3").put_object(
            Bucket=caller.named(f"{bucket}BucketName"), Key=key, Body=b"", IfMatch=NOWHERE
        ),
    )


def deletes(bucket: str, key: str) -> Try:
    return Try(
        f"delete {key} in the {bucket.lower()} bucket",
        "s3:DeleteObject",
        lambda caller: caller.client("s3").delete_object(Bucket=caller.named(f"{bucket}BucketName"), Key=key),
    )


def lists(bucket: str) -> Try:
    return Try(
        f"list the {bucket.lower()} bucket",
        "s3:ListBucket",
        lambda caller: caller.client("s3").list_objects_v2(Bucket=caller.named(f"{bucket}BucketName"), MaxKeys=1),
    )


def streams(method: str, to: str = "") -> Try:
    """A put without a record."""
    action = {"put_record": "firehose:PutRecord", "put_record_batch": "firehose:PutRecordBatch"}[method]
    return Try(
        f"{method} on {to or 'the stream'}",
        action,
        lambda caller: getattr(caller.client("firehose"), method)(DeliveryStreamName=to or caller.named("StreamName")),
    )


def secret(whose: str) -> Try:
    return Try(
        f"read the {whose.lower()}'s secret",
        "secretsmanager:GetSecretValue",
        lambda caller: caller.client("secretsmanager").get_secret_value(SecretId=caller.named(f"{whose}SecretArn")),
    )


def describes(whose: str) -> Try:
    return Try(
        f"describe the {whose.lower()}'s secret",
        "secretsmanager:DescribeSecret",
        lambda caller: caller.client("secretsmanager").describe_secret(SecretId=caller.named(f"{whose}SecretArn")),
    )


def changes(whose: str) -> Try:
    """A version in a stage that nobody reads."""
    return Try(
        f"put a version of the {whose.lower()}'s secret",
        "secretsmanager:PutSecretValue",
        lambda caller: caller.client("secretsmanager").put_secret_value(
            SecretId=caller.named(f"{whose}SecretArn"), SecretString="{}", VersionStages=["TRIED"]
        ),
    )


def promotes(whose: str) -> Try:
    """Without a word which version."""
    return Try(
        f"promote a version of the {whose.lower()}'s secret",
        "secretsmanager:UpdateSecretVersionStage",
        lambda caller: caller.client("secretsmanager").update_secret_version_stage(
            SecretId=caller.named(f"{whose}SecretArn")
        ),
    )


def execution(workflow: str) -> Try:
    def look(caller: Caller) -> object:
        arn = caller.named(f"{workflow}StateMachineArn").replace(":stateMachine:", ":execution:")
        return caller.client("stepfunctions").describe_execution(executionArn=f"{arn}:none")

    return Try(f"look at an execution of {workflow}", "states:DescribeExecution", look)


def starts(workflow: str) -> Try:
    """With an input that is no JSON."""
    return Try(
        f"start {workflow}",
        "states:StartExecution",
        lambda caller: caller.client("stepfunctions").start_execution(
            stateMachineArn=caller.named(f"{workflow}StateMachineArn"), input="no JSON"
        ),
    )


def invokes(function: str) -> Try:
    return Try(
        f"invoke {function}",
        "lambda:InvokeFunction",
        lambda caller: caller.client("lambda").invoke(
            FunctionName=caller.named(f"{function}FunctionName"), InvocationType="DryRun"
        ),
    )


def publishes() -> Try:
    """A message without text."""
    return Try(
        "publish an alert",
        "sns:Publish",
        lambda caller: caller.client("sns").publish(TopicArn=caller.named("AlertsTopicArn"), Message=""),
    )


def lists_roles() -> Try:
    return Try("list roles", "iam:ListRoles", lambda caller: caller.client("iam").list_roles(MaxItems=1))


BATCH, ARCHIVED = "batches/tried.jsonl.gz", "archive/tried.gz"
FORBIDDEN_TO_ALL = (
    deletes("Batch", BATCH),
    deletes("Archive", ARCHIVED),
    puts("Archive", ARCHIVED),
    puts("Batch", BATCH),
    starts("Replay"),
    invokes("RejectedWrites"),
    publishes(),
    lists_roles(),
)

WRITER = Rights(
    may=(streams("put_record"), streams("put_record_batch")),
    may_not=(
        streams("put_record", to="another-stream"),
        streams("put_record_batch", to="another-stream"),
        secret("Loader"),
        secret("Reader"),
        secret("Cache"),
        reads("Batch", BATCH),
        lists("Batch"),
        reads("Archive", ARCHIVED),
        lists("Archive"),
    ),
)
NOTHING = Rights(
    may=(),
    may_not=(
        streams("put_record"),
        secret("Reader"),
        secret("Loader"),
        secret("Cache"),
        reads("Batch", BATCH),
        lists("Batch"),
    ),
)

RIGHTS: dict[str, Rights] = {
    "Post": WRITER,
    "Put": WRITER,
    "Delete": WRITER,
    "Fallback": NOTHING,
    "Contract": NOTHING,
    "Transform": NOTHING,
    "Get": Rights(
        may=(secret("Reader"), secret("Cache")),
        may_not=(secret("Loader"), secret("Admin"), streams("put_record"), reads("Batch", BATCH), lists("Batch")),
    ),
    "Load": Rights(
        may=(
            reads("Batch", BATCH),
            reads("Archive", ARCHIVED),
            lists("Batch"),
            lists("Archive"),
            reads("Batch", "rebuilds/exclusions.json"),
            secret("Loader"),
            secret("Cache"),
        ),
        may_not=(
            secret("Admin"),
            secret("Reader"),
            puts("Batch", "rebuilds/exclusions.json"),
            reads("Batch", "rebuilds/lease.json"),
            puts("Batch", "quarantine/tried"),
            streams("put_record"),
        ),
    ),
    "Quarantine": Rights(
        may=(reads("Batch", BATCH), puts("Batch", "quarantine/tried")),
        may_not=(deletes("Batch", "quarantine/tried"), reads("Archive", ARCHIVED), secret("Loader")),
    ),
    "Plan": Rights(
        may=(lists("Batch"), lists("Archive"), puts("Batch", "replays/tried"), secret("Reader")),
        may_not=(reads("Batch", BATCH), reads("Archive", ARCHIVED), secret("Loader"), secret("Admin")),
    ),
    "Report": Rights(
        may=(reads("Batch", "replays/tried"), puts("Batch", "replays/tried"), lists("Batch")),
        may_not=(reads("Batch", BATCH), lists("Archive"), secret("Reader"), secret("Loader")),
    ),
    "Lease": Rights(
        may=(
            reads("Batch", "recovery/lease.json"),
            puts("Batch", "recovery/lease.json"),
            reads("Batch", "recovery/alert.json"),
            puts("Batch", "recovery/alert.json"),
            reads("Batch", "rebuilds/lease.json"),
            puts("Batch", "rebuilds/lease.json"),
            lists("Batch"),
            lists("Archive"),
            execution("Recover"),
            execution("Rebuild"),
        ),
        may_not=(
            puts("Batch", "rebuilds/exclusions.json"),
            reads("Batch", BATCH),
            execution("Replay"),
            secret("Reader"),
        ),
    ),
    "HealthCheck": Rights(
        may=(secret("Loader"), secret("Reader")),
        may_not=(secret("Admin"), lists("Batch"), reads("Batch", BATCH), streams("put_record")),
    ),
    "Rebuild": Rights(
        may=(
            reads("Batch", "rebuilds/exclusions.json"),
            puts("Batch", "rebuilds/exclusions.json"),
            puts("Batch", "replays/tried"),
            lists("Batch"),
            secret("Admin"),
        ),
        may_not=(
            secret("Loader"),
            puts("Batch", "rebuilds/lease.json"),
            changes("Admin"),
            reads("Batch", BATCH),
            lists("Archive"),
        ),
    ),
    "RejectedWrites": Rights(
        may=(
            reads("Batch", "batches/2026/01/01/00/retry-tried"),
            puts("Batch", "batches/2026/01/01/00/retry-tried"),
            puts("Batch", "retries/tried"),
            deletes("Batch", "retries/tried"),
            lists("Batch"),
            secret("Loader"),
        ),
        may_not=(
            reads("Batch", BATCH),
            deletes("Batch", "batches/2026/01/01/00/retry-tried"),
            secret("Admin"),
            secret("Reader"),
            lists("Archive"),
        ),
    ),
    "Migrate": Rights(
        may=(secret("Admin"), secret("Loader"), secret("Reader")),
        may_not=(changes("Admin"), changes("Loader"), lists("Batch"), streams("put_record")),
    ),
    "Rotate": Rights(
        may=(
            secret("Admin"),
            secret("Loader"),
            secret("Reader"),
            describes("Loader"),
            describes("Reader"),
            changes("Loader"),
            changes("Reader"),
            promotes("Loader"),
            promotes("Reader"),
        ),
        # This stack has not made its database, so the admin's secret is somebody else's.
        may_not=(
            secret("Cache"),
            changes("Admin"),
            promotes("Admin"),
            lists("Batch"),
            reads("Batch", BATCH),
            streams("put_record"),
        ),
    ),
}
