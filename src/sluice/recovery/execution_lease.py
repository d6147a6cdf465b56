"""Let one recovery, one rebuild, and one restore run at a time. An S3 object names the execution that has the lease.

A list of running executions would not do: it may lag, so that two executions that start together do not see each other.
"""

from functools import cached_property
from typing import Any

import msgspec
from botocore.config import Config
from botocore.exceptions import ClientError

from sluice.aws.botocore_client import create_botocore_client
from sluice.aws.s3 import Bucket, StoredObject
from sluice.errors import LockConflict

RECOVERY_LEASE_KEY, REBUILD_LEASE_KEY = "recovery/lease.json", "rebuilds/lease.json"
RESTORE_LEASE_KEY = "recovery/restore-lease.json"


class LeaseHolder(msgspec.Struct, frozen=True):
    """The execution, by its ARN, that acquired the lease last."""

    execution: str


class StatesClient:
    """The client of Step Functions. A handler creates one."""

    @cached_property
    def botocore(self) -> Any:
        """The client of botocore. The first call creates it, because that takes long and not every event needs it."""
        config = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 4})
        return create_botocore_client("stepfunctions", config)

    def is_running(self, execution: str) -> bool:
        """Whether an execution, given by its ARN, is running. Raises botocore's errors."""
        try:
            return bool(self.botocore.describe_execution(executionArn=execution)["status"] == "RUNNING")
        except ClientError as error:
            if error.response["Error"]["Code"] == "ExecutionDoesNotExist":
                return False  # Step Functions deletes an execution 90 days after its end
            raise


def find_running_holder(states: StatesClient, bucket: Bucket, key: str) -> str:
    """Return the execution, by its ARN, that has a lease and is running; empty if none is. Raises botocore's errors."""
    lease = bucket.find_object(key)
    holder = _decode_holder(lease) if lease else ""
    return holder if holder and states.is_running(holder) else ""


def acquire_lease(states: StatesClient, bucket: Bucket, execution: str, key: str = RECOVERY_LEASE_KEY) -> str:
    """Acquire a lease and return the ARN of the execution that holds it: this one, or another that is running.

    A lease needs no release: it is free when its holder has ended. Raises
    LockConflict when another execution acquires it at the same time, and botocore's errors.
    """
    lease = bucket.find_object(key)
    if lease:
        holder = _decode_holder(lease)
        if holder == execution or states.is_running(holder):
            return holder
    if not bucket.replace_object(key, msgspec.json.encode(LeaseHolder(execution)), lease.etag if lease else None):
        raise LockConflict("another execution acquired the lease at the same time")
    return execution


def _decode_holder(lease: StoredObject) -> str:
    return msgspec.json.decode(lease.content, type=LeaseHolder).execution
