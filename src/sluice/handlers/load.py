"""Load one batch into the primary: `{"bucket", "key", "etag"}` in, what it came to out."""

from typing import Any

import msgspec
from aws_lambda_powertools.metrics import MetricUnit

from sluice.database import Database
from sluice.loading.load import Loader
from sluice.observability import Event, count, note, observed
from sluice.registry import resources
from sluice.settings import DatabaseSettings, read

# Below the function's own timeout, so that a statement which hangs ends as the fault that it is.
STATEMENT_SECONDS = 300

_loader = Loader(Database(read(DatabaseSettings), statement_seconds=STATEMENT_SECONDS, loading=True), resources())


@observed
def handle(event: Event, _context: Any) -> dict[str, Any]:
    """Load the batch of an event. Raises the faults that the workflow retries and catches by name."""
    note(batch=event["key"], etag=event.get("etag"))
    outcome = _loader.load(event["bucket"], event["key"])
    note(**msgspec.to_builtins(outcome))
    count("BatchesLoaded" if outcome.status == "loaded" else "BatchesLoadedBefore")
    if outcome.status == "loaded":
        count("WritesApplied", outcome.applied)
        count("WritesStale", outcome.stale)
        count("WritesRejected", outcome.rejected)
        count("LoadLag", outcome.lag_ms, MetricUnit.Milliseconds)
    return dict(msgspec.to_builtins(outcome))
