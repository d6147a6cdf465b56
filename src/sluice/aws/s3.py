"""Access to the objects in S3."""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError

from sluice.aws.botocore_client import create_botocore_client


@dataclass(frozen=True)
class ListedObject:
    """An object as S3 lists it. `size` is in bytes."""

    key: str
    etag: str
    size: int
    modified: datetime.datetime


@cache
def get_s3_client() -> Any:
    config = Config(connect_timeout=2, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 4})
    return create_botocore_client("s3", config)


def list_objects(bucket: str, prefix: str, after: str, until: str) -> Iterator[list[ListedObject]]:
    """List the objects under a prefix, up to 1,000 at a time in the order of their keys. Raises botocore's errors.

    Only keys above `after` and not above `until` are listed.
    """
    for page in (
        get_s3_client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, StartAfter=after)
    ):
        found = [
            ListedObject(one["Key"], one["ETag"].strip('"'), one["Size"], one["LastModified"])
            for one in page.get("Contents", [])
        ]
        within = [one for one in found if one.key <= until]
        if within:
            yield within
        if len(within) < len(found):
            return


def read_object(bucket: str, key: str) -> tuple[bytes, str]:
    """An object's content and its ETag. Raises botocore's errors."""
    answer = get_s3_client().get_object(Bucket=bucket, Key=key)
    return answer["Body"].read(), answer["ETag"].strip('"')


def write_object(bucket: str, key: str, content: bytes) -> None:
    """Put an object in place of whatever is there. Raises botocore's errors."""
    get_s3_client().put_object(Bucket=bucket, Key=key, Body=content)


def replace_object(bucket: str, key: str, content: bytes, etag: str | None) -> bool:
    """Put an object in place of the one with that ETag, or where there is none. False, when that is not what is there.

    Of several that try at a time, one succeeds. Raises botocore's errors.
    """
    condition = {"IfMatch": etag} if etag else {"IfNoneMatch": "*"}
    try:
        get_s3_client().put_object(Bucket=bucket, Key=key, Body=content, **condition)
    except ClientError as error:
        if error.response["Error"]["Code"] in {"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"}:
            return False
        raise
    return True


def delete_object(bucket: str, key: str) -> None:
    """Delete an object, if there is one. Raises botocore's errors."""
    get_s3_client().delete_object(Bucket=bucket, Key=key)


def copy_under_prefix(bucket: str, key: str, prefix: str) -> str:
    """Copy an object under a prefix of the same bucket and return the copy's key. Raises botocore's errors."""
    copy = f"{prefix}{key}"
    get_s3_client().copy_object(Bucket=bucket, Key=copy, CopySource={"Bucket": bucket, "Key": key})
    return copy
