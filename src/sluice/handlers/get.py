"""GET /v1/{collection}, /v1/{collection}/{id} and /v1/{collection}/{id}/writes/{version}: reads from the replica."""

from typing import TYPE_CHECKING

from sluice.db.connection import Database
from sluice.http.api_gateway import create_api_handler
from sluice.model.canary_item import load_served_resources
from sluice.query.read_router import ReadRouter
from sluice.settings import CacheSettings, ReadSettings, has_cache, read_settings

if TYPE_CHECKING:
    from sluice.cache.reader import CacheReader

# Well below API Gateway's 29 seconds: clients learn soon that the replica does not answer.
STATEMENT_TIMEOUT_SECONDS = 10
# Far above the cache's usual time, and too short for clients to notice.
CACHE_TIMEOUT_SECONDS = 0.25


def _create_cache_reader() -> "CacheReader | None":
    if not has_cache():
        return None
    from sluice.cache.reader import CacheReader  # noqa: PLC0415  imported only with a cache
    from sluice.cache.valkey_client import ValkeyClient  # noqa: PLC0415

    settings = read_settings(CacheSettings)
    return CacheReader(ValkeyClient(settings, CACHE_TIMEOUT_SECONDS), settings.cache_seconds)


def _create_router() -> ReadRouter:
    settings = read_settings(ReadSettings)
    database = Database(settings.place_databases()[0], statement_timeout_seconds=STATEMENT_TIMEOUT_SECONDS)
    return ReadRouter(load_served_resources(), database, settings, _create_cache_reader())


router = _create_router()
handle = create_api_handler("get", router.respond)
