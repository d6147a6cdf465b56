"""Let one recovery, and one rebuild, run at a time.

The execution named in one S3 object holds the lease until it ends.
"""

import msgspec
from botocore.exceptions import ClientError

from sluice import executions
from sluice.aws import s3 as archive
from sluice.errors import LockConflict

RECOVERY_LEASE_KEY, REBUILD_LEASE_KEY = "recovery/lease.json", "rebuilds/lease.json"


class LeaseHolder(msgspec.Struct, frozen=True):
    """The execution, by its ARN, that claimed the work last."""

    execution: str


def acquire_lease(bucket: str, execution: str, key: str = RECOVERY_LEASE_KEY) -> str:
    """Lease the work that a key stands for, and return the ARN of the execution that has it: this, or a running one.

    Nothing need give it back: the next one sees that the holder has ended. Raises LockConflict when others claimed it at
    the same time, and botocore's errors.
    """  # noqa: E501
    content, etag = _read_lease(bucket, key)
    if etag:
        holder = msgspec.json.decode(content, type=LeaseHolder).execution
        if holder == execution or executions.is_execution_running(holder):
            return holder
    if not archive.replace_object(bucket, key, msgspec.json.encode(LeaseHolder(execution)), etag):
        raise LockConflict("it was claimed at the same time")
    return execution


def _read_lease(bucket: str, key: str) -> tuple[bytes, str | None]:
    try:
        return archive.read_object(bucket, key)
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            return b"", None
        raise
