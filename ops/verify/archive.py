"""The archive and the batches hold the same writes."""

import datetime
import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ops.output import format_count
from ops.verify.check import Check, CheckFailed
from ops.verify.subject import DELIVERY_MARGIN_SECONDS, Subject

# The writes of the window are compared, at most those in so many compressed bytes of each bucket.
MAX_BYTES = 16 * 1024 * 1024
# The clocks of Lambda and S3 differ, and S3 rounds to the second.
CLOCK_MARGIN = datetime.timedelta(seconds=30)
# The key of an object has the hour of its oldest record.
KEY_OVERLAP = datetime.timedelta(hours=1)

_ULID_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_TIME_DIGITS = 10  # the first digits of a ULID are its time in milliseconds


@dataclass
class WriteLog:
    """A bucket with writes: which versions its objects hold. An object is read once."""

    bucket: str
    prefix: str
    _versions: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict)

    def list_objects(self, s3: Any, since: datetime.datetime) -> list[dict[str, Any]]:
        """The objects that were stored since a time."""
        start = f"{self.prefix}{since - KEY_OVERLAP:%Y/%m/%d/%H}/"
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix, StartAfter=start)
        return [entry for page in pages for entry in page.get("Contents", []) if entry["LastModified"] >= since]

    def read_versions(self, s3: Any, since: datetime.datetime) -> frozenset[str]:
        """The versions of the writes in the objects that were stored since a time."""
        versions: set[str] = set()
        for entry in self.list_objects(s3, since):
            name = (entry["Key"], entry["ETag"])
            if name not in self._versions:
                body = s3.get_object(Bucket=self.bucket, Key=entry["Key"])["Body"].read()
                self._versions[name] = frozenset(_iterate_versions(body))
            versions |= self._versions[name]
        return frozenset(versions)


def _iterate_versions(body: bytes) -> Iterator[str]:
    """The versions of the writes in an object. An object that is no batch has none."""
    try:
        lines = gzip.decompress(body).splitlines()
    except (OSError, EOFError, zlib.error):
        return
    for line in lines:
        try:
            write = json.loads(line)
        except ValueError:
            continue
        if isinstance(write, dict) and {"version", "collection", "id"} <= write.keys():
            yield str(write["version"])


def parse_ulid_time(version: str) -> datetime.datetime:
    """The time in a version, in UTC."""
    milliseconds = 0
    for digit in version[:_TIME_DIGITS]:
        milliseconds = milliseconds * 32 + _ULID_DIGITS.index(digit)
    return datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.UTC)


def run_archive(subject: Subject) -> str:
    """Wait until the archive has the verification's own write, then compare the versions of the window."""
    s3 = subject.stack.client("s3")
    batches = WriteLog(subject.stack.output("BatchBucketName"), "batches/")
    archive = WriteLog(subject.stack.output("ArchiveBucketName"), "archive/")
    own = subject.own_write().version
    end = parse_ulid_time(own)
    start = min(_limit_window(s3, (batches, archive), end - subject.window), end)
    buffers = max(subject.read_seconds("BackupBufferSeconds"), subject.read_seconds("BufferSeconds"))
    missing: dict[str, set[str]] = {}

    def is_equal() -> bool:
        in_batches = _select(batches.read_versions(s3, start - CLOCK_MARGIN), start, end)
        in_archive = _select(archive.read_versions(s3, start - CLOCK_MARGIN), start, end)
        missing.update(archive=in_batches - in_archive, batches=in_archive - in_batches)
        missing["both"] = {own} - in_batches - in_archive
        missing["count"] = in_archive
        return not (missing["archive"] or missing["batches"] or missing["both"])

    subject.wait_until(is_equal, buffers + DELIVERY_MARGIN_SECONDS, lambda: _explain(missing))
    return f"{format_count(len(missing['count']), 'write')} since {start:%H:%M:%S} UTC in both"


def _limit_window(s3: Any, logs: tuple[WriteLog, ...], start: datetime.datetime) -> datetime.datetime:
    """The start of the window, later where the objects of the window are too large to read."""
    for log in logs:
        size = 0
        for entry in sorted(log.list_objects(s3, start), key=lambda entry: entry["LastModified"], reverse=True):
            size += entry["Size"]
            if size > MAX_BYTES:
                start = max(start, entry["LastModified"] + CLOCK_MARGIN)
                break
    return start


def _select(versions: frozenset[str], start: datetime.datetime, end: datetime.datetime) -> set[str]:
    return {version for version in versions if start <= parse_ulid_time(version) <= end}


def _explain(missing: dict[str, set[str]]) -> CheckFailed:
    if missing["archive"]:
        example = min(missing["archive"])
        return CheckFailed(
            f"The archive lacks {format_count(len(missing['archive']), 'write')} of the batches (first {example}).",
            "See the metrics BackupToS3 of the stream, its log, and errors/ in the archive bucket.",
        )
    if missing["batches"]:
        example = min(missing["batches"])
        return CheckFailed(
            f"No batch has {format_count(len(missing['batches']), 'write')} of the archive (first {example}).",
            "See docs/how-to/firehose-errors.md; `sluice replay --source archive` loads them.",
        )
    return CheckFailed("Neither the archive nor a batch has an accepted write.", "See docs/how-to/firehose-errors.md.")


CHECKS = [Check("archive", "the archive and the batches hold the same writes", run_archive)]
