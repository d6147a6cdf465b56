"""One recovery at a time: whoever puts its name on the one object is the one at work, until its execution ends.

A list of running executions would not do: it may lag, so that two that start together do not see each other.
"""

import msgspec
from botocore.exceptions import ClientError

from sluice import archive, executions
from sluice.faults import TryAgain

KEY = "recovery/holder.json"


class Holder(msgspec.Struct, frozen=True):
    """The execution, by its ARN, that claimed the recovery last."""

    execution: str


def claim(bucket: str, execution: str) -> str:
    """Claim the recovery for an execution, and return the ARN of the one that has it: this one, or one that runs.

    Nothing need give it back: the next one sees that the holder has ended. Raises TryAgain when others claimed it at
    the same time, and botocore's errors.
    """
    content, etag = _held(bucket)
    if etag:
        holder = msgspec.json.decode(content, type=Holder).execution
        if holder == execution or executions.runs(holder):
            return holder
    if not archive.write_over(bucket, KEY, msgspec.json.encode(Holder(execution)), etag):
        raise TryAgain("the recovery was claimed at the same time")
    return execution


def _held(bucket: str) -> tuple[bytes, str | None]:
    try:
        return archive.read(bucket, KEY)
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            return b"", None
        raise
