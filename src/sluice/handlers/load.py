"""Load one batch into the primary: `{"bucket", "key", "etag"}` in, the result of the load out.

A replay can add `archived` (the object is from the archive), `reload` (also if the ledger has the batch),
`collections` (only the writes to these) and `shadow` (into the tables of a rebuild). For an archived object, and for
selected collections, the ledger does not change.

Before its loads, a replay brings the exclusions of the database up to date: `{"bucket", "sync_exclusions": true}` in,
the names of the added exclusions out.
"""

from functools import cache, partial
from typing import TYPE_CHECKING, Any

import msgspec
from aws_lambda_powertools.metrics import MetricUnit

from sluice.aws.s3 import S3Client
from sluice.db.connection import Database
from sluice.load.batch_reader import create_replay_opener, open_batch
from sluice.load.loader import Loader
from sluice.model.canary_item import load_served_resources
from sluice.model.schema_names import shadow_schema_name
from sluice.observability import Event, add_log_fields, add_metric, instrument_handler
from sluice.settings import CacheSettings, DatabaseSettings, has_cache, read_settings

if TYPE_CHECKING:
    from sluice.cache.invalidation import CacheInvalidator

# Below the function's own timeout, so that a statement that hangs ends as a database error.
STATEMENT_TIMEOUT_SECONDS = 300
# For one exchange with the cache; a load has several.
CACHE_TIMEOUT_SECONDS = 1.0

_resources = load_served_resources()
_s3 = S3Client()
_settings = read_settings(DatabaseSettings)
_database = Database(_settings, statement_timeout_seconds=STATEMENT_TIMEOUT_SECONDS, for_loading=True)
_shadow = Database(
    msgspec.structs.replace(_settings, database_name=shadow_schema_name(_settings.database_name)),
    statement_timeout_seconds=STATEMENT_TIMEOUT_SECONDS,
    for_loading=True,
)


def _create_invalidator() -> "CacheInvalidator | None":
    if not has_cache():
        return None
    from sluice.cache.invalidation import CacheInvalidator  # noqa: PLC0415  only a function with a cache imports these
    from sluice.cache.valkey_client import ValkeyClient  # noqa: PLC0415

    return CacheInvalidator(ValkeyClient(read_settings(CacheSettings), CACHE_TIMEOUT_SECONDS), _resources)


_open_batch = partial(open_batch, _s3)
_cache = _create_invalidator()
_loader = Loader(_database, _resources, _open_batch, cache=_cache)


@instrument_handler
def handle(event: Event, _context: Any) -> dict[str, Any]:
    """Load the batch of an event. The workflow retries and catches the errors by the names of their classes."""
    if event.get("sync_exclusions"):
        return _sync_exclusions(event["bucket"])
    add_log_fields(batch=event["key"], etag=event.get("etag"))
    loader = _choose_loader(event)
    result = loader.load_batch(event["bucket"], event["key"])
    add_log_fields(**msgspec.to_builtins(result))
    add_metric("BatchesLoaded" if result.status == "loaded" else "BatchesAlreadyLoaded")
    if result.status == "loaded":
        add_metric("WritesApplied", result.applied)
        add_metric("WritesStale", result.stale)
        add_metric("WritesRejected", result.rejected)
        if loader is _loader:
            add_metric("LoadLag", result.lag_ms, MetricUnit.Milliseconds)
    return dict(msgspec.to_builtins(result))


def _sync_exclusions(bucket: str) -> dict[str, Any]:
    from sluice.load.exclusion_sync import sync_exclusions  # noqa: PLC0415
    from sluice.rebuild.rebuild_request import read_stored_exclusions  # noqa: PLC0415  a load does not need it

    _shadow.drop_connection()
    added = sync_exclusions(_database, read_stored_exclusions(_s3.bucket(bucket)))
    add_log_fields(synced_exclusions=added)
    return {"synced_exclusions": added}


def _choose_loader(event: Event) -> Loader:
    archived, collections = bool(event.get("archived")), frozenset(event.get("collections", ()))
    shadow, reload = bool(event.get("shadow")), bool(event.get("reload"))
    # One connection at a time, so that the number of connections never exceeds the function's concurrency.
    (_database if shadow else _shadow).drop_connection()
    if shadow or archived or collections or reload:
        return _create_replay_loader(shadow=shadow, archived=archived, collections=collections, reload=reload)
    return _loader


@cache
def _create_replay_loader(*, shadow: bool, archived: bool, collections: frozenset[str], reload: bool) -> Loader:
    is_complete_batch = not (archived or collections)
    return Loader(
        _shadow if shadow else _database,
        _resources,
        create_replay_opener(_open_batch, archived=archived, collections=collections),
        ("reload" if reload else "once") if is_complete_batch else "bypass",
        # Nobody reads the shadow tables. After the swap they have no cache epoch, and the first load starts one.
        None if shadow else _cache,
    )
