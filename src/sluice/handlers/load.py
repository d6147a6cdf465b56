"""Load one batch into the primary: `{"bucket", "key", "etag"}` in, what it came to out.

A replay may add `archived` (the object is one of the archive's), `again` (although the ledger has it) and `collections`
(only the writes to these). Of an archived object, or of some collections only, the ledger is told nothing.
"""

from functools import cache
from typing import Any

import msgspec
from aws_lambda_powertools.metrics import MetricUnit

from sluice.database import Database
from sluice.loading.load import Loader
from sluice.observability import Event, count, note, observed
from sluice.registry import resources
from sluice.replaying.source import opener
from sluice.settings import DatabaseSettings, read

# Below the function's own timeout, so that a statement which hangs ends as the fault that it is.
STATEMENT_SECONDS = 300

_database = Database(read(DatabaseSettings), statement_seconds=STATEMENT_SECONDS, loading=True)
_loader = Loader(_database, resources())


@cache
def _replaying(*, archived: bool, collections: frozenset[str]) -> Loader:
    """A loader for what is more, or less, than a batch that was not loaded yet; on the same warm connection."""
    whole = not (archived or collections)
    return Loader(
        _database,
        resources(),
        opener(archived=archived, collections=collections),
        "again" if whole else "never",
    )


def _loader_for(event: Event) -> Loader:
    archived, collections = bool(event.get("archived")), frozenset(event.get("collections", ()))
    if archived or collections or event.get("again"):
        return _replaying(archived=archived, collections=collections)
    return _loader


@observed
def handle(event: Event, _context: Any) -> dict[str, Any]:
    """Load the batch of an event. Raises the faults that the workflow retries and catches by name."""
    note(batch=event["key"], etag=event.get("etag"))
    loader = _loader_for(event)
    outcome = loader.load(event["bucket"], event["key"])
    note(**msgspec.to_builtins(outcome))
    count("BatchesLoaded" if outcome.status == "loaded" else "BatchesLoadedBefore")
    if outcome.status == "loaded":
        count("WritesApplied", outcome.applied)
        count("WritesStale", outcome.stale)
        count("WritesRejected", outcome.rejected)
        if loader is _loader:
            count("LoadLag", outcome.lag_ms, MetricUnit.Milliseconds)
    return dict(msgspec.to_builtins(outcome))
