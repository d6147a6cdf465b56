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

from sluice.db.connection import Database
from sluice.load.batch_source import make_batch_opener
from sluice.load.loader import Loader
from sluice.model.resource import load_resources
from sluice.model.schema_names import shadow_schema_name
from sluice.observability import Event, add_log_fields, add_metric, instrument_handler
from sluice.settings import CacheSettings, DatabaseSettings, has_cache, read_settings

if TYPE_CHECKING:
    from sluice.cache.invalidation import CacheInvalidator

# Below the function's own timeout, so that a statement which hangs ends as the fault that it is.
STATEMENT_TIMEOUT_SECONDS = 300
# Of one exchange with the cache; a load has several.
CACHE_TIMEOUT_SECONDS = 1.0

_settings = read_settings(DatabaseSettings)
_database = Database(_settings, statement_timeout_seconds=STATEMENT_TIMEOUT_SECONDS, for_loading=True)
_shadow = Database(
    msgspec.structs.replace(_settings, database_name=shadow_schema_name(_settings.database_name)),
    statement_timeout_seconds=STATEMENT_TIMEOUT_SECONDS,
    for_loading=True,
)


def _create_invalidation() -> "CacheInvalidator | None":
    if not has_cache():
        return None
    from sluice.cache.invalidation import CacheInvalidator  # noqa: PLC0415
    from sluice.cache.valkey_client import ValkeyClient  # noqa: PLC0415  only with a cache is its code imported

    return CacheInvalidator(ValkeyClient(read_settings(CacheSettings), CACHE_TIMEOUT_SECONDS), load_resources())


_cache = _create_invalidation()
_loader = Loader(_database, load_resources(), cache=_cache)


@cache
def _create_replay_loader(*, shadow: bool, archived: bool, collections: frozenset[str], again: bool) -> Loader:
    """A loader for what is more, less or elsewhere than a batch that was not loaded yet."""
    whole = not (archived or collections)
    return Loader(
        _shadow if shadow else _database,
        load_resources(),
        make_batch_opener(archived=archived, collections=collections),
        ("again" if again else "once") if whole else "never",
        # The shadow has no readers; swapped in, it has no generation of the cache, and the first load begins one.
        None if shadow else _cache,
    )


def _choose_loader(event: Event) -> Loader:
    archived, collections = bool(event.get("archived")), frozenset(event.get("collections", ()))
    shadow, again = bool(event.get("shadow")), bool(event.get("again"))
    # One connection at a time, so that loading opens no more of them than its concurrency says.
    (_database if shadow else _shadow).drop_connection()
    if shadow or archived or collections or again:
        return _create_replay_loader(shadow=shadow, archived=archived, collections=collections, again=again)
    return _loader


def _sync_exclusions(bucket: str) -> dict[str, Any]:
    from sluice.load.exclusion_sync import sync_exclusions  # noqa: PLC0415  a load has no use for these
    from sluice.rebuild.exclusion_store import read_stored_exclusions  # noqa: PLC0415

    _shadow.drop_connection()
    found = sync_exclusions(_database, read_stored_exclusions(bucket))
    add_log_fields(learned=found)
    return {"learned": found}


@instrument_handler
def handle(event: Event, _context: Any) -> dict[str, Any]:
    """Load the batch of an event. Raises the faults that the workflow retries and catches by name."""
    if event.get("learn"):
        return _sync_exclusions(event["bucket"])
    add_log_fields(batch=event["key"], etag=event.get("etag"))
    loader = _choose_loader(event)
    outcome = loader.load_batch(event["bucket"], event["key"])
    add_log_fields(**msgspec.to_builtins(outcome))
    add_metric("BatchesLoaded" if outcome.status == "loaded" else "BatchesAlreadyLoaded")
    if outcome.status == "loaded":
        add_metric("WritesApplied", outcome.applied)
        add_metric("WritesStale", outcome.stale)
        add_metric("WritesRejected", outcome.rejected)
        if loader is _loader:
            add_metric("LoadLag", outcome.lag_ms, MetricUnit.Milliseconds)
    return dict(msgspec.to_builtins(outcome))
