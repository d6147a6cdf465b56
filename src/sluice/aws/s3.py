"""Access to S3: one client for each function, and one object for each bucket.

This is the only place that knows S3's error codes, for example that NoSuchKey means that an object is absent.
"""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import IO, Any

from botocore.config import Config
from botocore.exceptions import ClientError

from sluice.aws.botocore_client import create_botocore_client

_REPLACED_BY_ANOTHER = {"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"}


def is_absent_object(error: ClientError) -> bool:
    """Whether an error of a read says that the object does not exist."""
    return bool(error.response["Error"]["Code"] == "NoSuchKey")


class S3Client:
    """The client of S3. A handler creates one, and its buckets share it."""

    @cached_property
    def botocore(self) -> Any:
        """The client of botocore. The first call creates it, because that takes long and not every event needs it."""
        config = Config(connect_timeout=2, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 4})
        return create_botocore_client("s3", config)

    def bucket(self, name: str) -> "Bucket":
        """Return the bucket with this name. Makes no request."""
        return Bucket(name, self)


@dataclass(frozen=True)
class StoredObject:
    """The content of an object, and its ETag without quotes."""

    content: bytes
    etag: str


@dataclass(frozen=True)
class ListedObject:
    """An object as S3 lists it. `size` is in bytes."""

    key: str
    etag: str
    size: int
    modified: datetime.datetime


@dataclass(frozen=True)
class Bucket:
    """The objects of one bucket. Every method raises botocore's errors."""

    name: str
    s3: S3Client

    def open_object(self, key: str) -> tuple[IO[bytes], str]:
        """Open an object for reading, and return it with its ETag."""
        response = self.s3.botocore.get_object(Bucket=self.name, Key=key)
        return response["Body"], response["ETag"].strip('"')

    def read_object(self, key: str) -> StoredObject:
        """Read an object that must exist."""
        body, etag = self.open_object(key)
        return StoredObject(body.read(), etag)

    def find_object(self, key: str) -> StoredObject | None:
        """Read an object, or return None if it does not exist."""
        try:
            return self.read_object(key)
        except ClientError as error:
            if is_absent_object(error):
                return None
            raise

    def write_object(self, key: str, content: bytes) -> None:
        """Write an object, whether or not it exists."""
        self.s3.botocore.put_object(Bucket=self.name, Key=key, Body=content)

    def replace_object(self, key: str, content: bytes, etag: str | None) -> bool:
        """Replace the object with this ETag, or with None create an object. Returns False if the object differs.

        If several callers try at the same time, one of them succeeds.
        """
        condition = {"IfMatch": etag} if etag else {"IfNoneMatch": "*"}
        try:
            self.s3.botocore.put_object(Bucket=self.name, Key=key, Body=content, **condition)
        except ClientError as error:
            if error.response["Error"]["Code"] in _REPLACED_BY_ANOTHER:
                return False
            raise
        return True

    def delete_object(self, key: str) -> None:
        """Delete an object if it exists."""
        self.s3.botocore.delete_object(Bucket=self.name, Key=key)

    def copy_under_prefix(self, key: str, prefix: str) -> str:
        """Copy an object to the prefix plus its key, and return the key of the copy."""
        copy = f"{prefix}{key}"
        self.s3.botocore.copy_object(Bucket=self.name, Key=copy, CopySource={"Bucket": self.name, "Key": key})
        return copy

    def list_objects(self, prefix: str, after: str, until: str) -> Iterator[list[ListedObject]]:
        """List the objects under a prefix by key, in pages of up to 1,000: keys above `after` and up to `until`."""
        pages = self.s3.botocore.get_paginator("list_objects_v2").paginate(
            Bucket=self.name, Prefix=prefix, StartAfter=after
        )
        for page in pages:
            listed = [
                ListedObject(entry["Key"], entry["ETag"].strip('"'), entry["Size"], entry["LastModified"])
                for entry in page.get("Contents", [])
            ]
            within = [entry for entry in listed if entry.key <= until]
            if within:
                yield within
            if len(within) < len(listed):
                return
