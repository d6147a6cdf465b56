"""Whether anything was delivered to a bucket in a window of time."""

import datetime
from typing import Any

from ops.stack import Stack

_BUCKETS = {"batches": "BatchBucketName", "archive": "ArchiveBucketName"}
# A key has the hour in which its oldest record arrived; the object has what came up to half an hour after that.
_OVERLAP = datetime.timedelta(hours=1)


def anything_delivered(stack: Stack, request: dict[str, Any]) -> bool:
    """Whether there is any object in the window of a replay's request, which is as wide as the replay's own."""
    prefix = f"{request['source']}/"
    after = f"{prefix}{_hour(request['from'], _OVERLAP)}/" if request["from"] else ""
    until = f"{prefix}{_hour(request['to'])}/~" if request["to"] else f"{prefix}~"
    found = stack.client("s3").list_objects_v2(
        Bucket=stack.output(_BUCKETS[request["source"]]), Prefix=prefix, StartAfter=after, MaxKeys=1
    )
    return any(one["Key"] <= until for one in found.get("Contents", []))


def _hour(moment: str, before: datetime.timedelta = datetime.timedelta()) -> str:
    return f"{datetime.datetime.fromisoformat(moment) - before:%Y/%m/%d/%H}"
