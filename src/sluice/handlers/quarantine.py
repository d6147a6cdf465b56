"""Set a batch that cannot be read aside: `{"bucket", "key", "etag", "reason"}` in, the copy's key out."""

from typing import Any

from sluice.aws.s3 import copy_under_prefix
from sluice.observability import Event, add_log_fields, add_metric, instrument_handler

QUARANTINE_PREFIX = "quarantine/"


@instrument_handler
def handle(event: Event, _context: Any) -> dict[str, str]:
    """Copy the object of an event under the quarantine prefix; the original stays where it was."""
    add_log_fields(batch=event["key"], etag=event.get("etag"))
    copy = copy_under_prefix(event["bucket"], event["key"], QUARANTINE_PREFIX)
    add_metric("BatchesQuarantined")
    return {"key": event["key"], "copy": copy}
