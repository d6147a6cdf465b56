"""Let one recovery, and one rebuild, run at a time.

The execution named in one S3 object holds the lease until it ends.
"""

import msgspec

from sluice import executions
from sluice.aws.s3 import Bucket
from sluice.errors import LockConflict

RECOVERY_LEASE_KEY, REBUILD_LEASE_KEY = "recovery/lease.json", "rebuilds/lease.json"


class LeaseHolder(msgspec.Struct, frozen=True):
    """The execution, by its ARN, that claimed the work last."""

    execution: str


def acquire_lease(bucket: Bucket, execution: str, key: str = RECOVERY_LEASE_KEY) -> str:
    """Lease the work that a key stands for, and return the ARN of the execution that has it: this, or a running one.

    Nothing need give it back: the next one sees that the holder has ended. Raises LockConflict when others claimed it at
    the same time, and botocore's errors.
    """  # noqa: E501
    current = bucket.find_object(key)
    if current:
        holder = msgspec.json.decode(current.content, type=LeaseHolder).execution
        if holder == execution or executions.is_execution_running(holder):
            return holder
    etag = current.etag if current else None
    if not bucket.replace_object(key, msgspec.json.encode(LeaseHolder(execution)), etag):
        raise LockConflict("it was claimed at the same time")
    return execution
