"""Quarantine a batch that cannot be read: `{"bucket", "key", "etag", "reason"}` in, the key of the copy out."""

from typing import Any

from sluice.aws.s3 import S3Client
from sluice.model.batch_keys import QUARANTINE_PREFIX
from sluice.observability import Event, add_log_fields, add_metric, instrument_handler

_s3 = S3Client()


@instrument_handler
def handle(event: Event, _context: Any) -> dict[str, str]:
    """Copy the object of an event under the quarantine prefix. The original stays in its place."""
    add_log_fields(batch=event["key"], etag=event.get("etag"))
    copy = _s3.bucket(event["bucket"]).copy_under_prefix(event["key"], QUARANTINE_PREFIX)
    add_metric("BatchesQuarantined")
    return {"key": event["key"], "copy": copy}
