"""Set a batch that cannot be read aside: `{"bucket", "key", "etag", "reason"}` in, the copy's key out."""

from typing import Any

from sluice.archive import set_aside
from sluice.observability import Event, count, note, observed

PREFIX = "quarantine/"


@observed
def handle(event: Event, _context: Any) -> dict[str, str]:
    """Copy the object of an event under the quarantine prefix; the original stays where it was."""
    note(batch=event["key"], etag=event.get("etag"))
    copy = set_aside(event["bucket"], event["key"], PREFIX)
    count("BatchesQuarantined")
    return {"key": event["key"], "copy": copy}
