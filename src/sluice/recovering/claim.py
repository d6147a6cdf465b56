"""One recovery at a time, and one rebuild: who puts its name on the one object is at work, until its execution ends.

A list of running executions would not do: it may lag, so that two that start together do not see each other.
"""

import msgspec
from botocore.exceptions import ClientError

from sluice import archive, executions
from sluice.faults import TryAgain

RECOVERY, REBUILD = "recovery/holder.json", "rebuilds/holder.json"


class Holder(msgspec.Struct, frozen=True):
    """The execution, by its ARN, that claimed the work last."""

    execution: str


def claim(bucket: str, execution: str, key: str = RECOVERY) -> str:
    """Claim the work that a key stands for, and return the ARN of the execution that has it: this, or a running one.

    Nothing need give it back: the next one sees that the holder has ended. Raises TryAgain when others claimed it at
    the same time, and botocore's errors.
    """
    content, etag = _held(bucket, key)
    if etag:
        holder = msgspec.json.decode(content, type=Holder).execution
        if holder == execution or executions.runs(holder):
            return holder
    if not archive.write_over(bucket, key, msgspec.json.encode(Holder(execution)), etag):
        raise TryAgain("it was claimed at the same time")
    return execution


def _held(bucket: str, key: str) -> tuple[bytes, str | None]:
    try:
        return archive.read(bucket, key)
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            return b"", None
        raise
