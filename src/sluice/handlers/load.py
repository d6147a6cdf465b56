"""Load one batch into the primary: `{"bucket", "key", "etag"}` in, what it came to out.

A replay may add `archived` (the object is one of the archive's), `again` (although the ledger has it), `collections`
(only the writes to these) and `shadow` (into the tables that a rebuild makes). Of an archived object, or of some
collections only, the ledger is told nothing.

Before its loads it has the database told what rebuilds left out: `{"bucket", "learn": true}` in, what was new out.
"""

from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec
from aws_lambda_powertools.metrics import MetricUnit

from sluice.database import Database
from sluice.loading.load import Loader
from sluice.observability import Event, count, note, observed
from sluice.registry import resources
from sluice.replaying.source import opener
from sluice.schemas import shadow_of
from sluice.settings import CacheSettings, DatabaseSettings, has_cache, read

if TYPE_CHECKING:
    from sluice.cache.withdrawal import Withdrawal

# Below the function's own timeout, so that a statement which hangs ends as the fault that it is.
STATEMENT_SECONDS = 300
# Of one exchange with the cache; a load has several.
CACHE_SECONDS = 1.0

_settings = read(DatabaseSettings)
_database = Database(_settings, statement_seconds=STATEMENT_SECONDS, loading=True)
_shadow = Database(
    msgspec.structs.replace(_settings, database_name=shadow_of(_settings.database_name)),
    statement_seconds=STATEMENT_SECONDS,
    loading=True,
)


def _withdrawal() -> "Withdrawal | None":
    if not has_cache():
        return None
    from sluice.cache.client import Client  # noqa: PLC0415  only with a cache is its code imported
    from sluice.cache.withdrawal import Withdrawal  # noqa: PLC0415

    return Withdrawal(Client(read(CacheSettings), CACHE_SECONDS), resources())


_cache = _withdrawal()
_loader = Loader(_database, resources(), cache=_cache)


@cache
def _replaying(*, shadow: bool, archived: bool, collections: frozenset[str], again: bool) -> Loader:
    """A loader for what is more, less or elsewhere than a batch that was not loaded yet."""
    whole = not (archived or collections)
    return Loader(
        _shadow if shadow else _database,
        resources(),
        opener(archived=archived, collections=collections),
        ("again" if again else "once") if whole else "never",
        # The shadow has no readers; swapped in, it has no generation of the cache, and the first load begins one.
        None if shadow else _cache,
    )


def _loader_for(event: Event) -> Loader:
    archived, collections = bool(event.get("archived")), frozenset(event.get("collections", ()))
    shadow, again = bool(event.get("shadow")), bool(event.get("again"))
    # One connection at a time, so that loading opens no more of them than its concurrency says.
    (_database if shadow else _shadow).drop()
    if shadow or archived or collections or again:
        return _replaying(shadow=shadow, archived=archived, collections=collections, again=again)
    return _loader


def _learned(bucket: str) -> dict[str, Any]:
    from sluice.loading.learning import learn  # noqa: PLC0415  a load has no use for these
    from sluice.rebuilding.remembered import remembered  # noqa: PLC0415

    _shadow.drop()
    found = learn(_database, remembered(bucket))
    note(learned=found)
    return {"learned": found}


@observed
def handle(event: Event, _context: Any) -> dict[str, Any]:
    """Load the batch of an event. Raises the faults that the workflow retries and catches by name."""
    if event.get("learn"):
        return _learned(event["bucket"])
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
