"""Answer a GET of a collection, an item or a receipt."""

from functools import cache
from typing import TYPE_CHECKING

from sluice.db.connection import Database
from sluice.errors import AccessDenied, DatabaseUnavailable, LockConflict, SchemaOutdated
from sluice.http.problem import Problem
from sluice.http.request import Request
from sluice.http.response import Response
from sluice.model.registry import load_resources
from sluice.observability import add_log_fields, describe_error
from sluice.query.item import respond_with_item
from sluice.query.list import respond_with_list
from sluice.query.read_context import ReadContext
from sluice.query.read_your_writes import respond_with_version
from sluice.query.receipt import respond_with_receipt
from sluice.settings import CacheSettings, ReadSettings, has_cache, read_settings

if TYPE_CHECKING:
    from sluice.cache.reader import CacheReader

# Well below API Gateway's 29 seconds: a client learns soon that the replica does not answer.
STATEMENT_TIMEOUT_SECONDS = 10


# Far above what the cache takes, and below what anybody notices.
CACHE_TIMEOUT_SECONDS = 0.25


@cache
def _settings() -> ReadSettings:
    return read_settings(ReadSettings)


@cache
def _replica() -> Database:
    return Database(_settings(), statement_timeout_seconds=STATEMENT_TIMEOUT_SECONDS)


@cache
def _cache() -> "CacheReader | None":
    if not has_cache():
        return None
    from sluice.cache.reader import CacheReader  # noqa: PLC0415
    from sluice.cache.valkey_client import ValkeyClient  # noqa: PLC0415  only with a cache is its code imported

    settings = read_settings(CacheSettings)
    return CacheReader(ValkeyClient(settings, CACHE_TIMEOUT_SECONDS), settings.cache_seconds)


def prepare() -> None:
    """Do at start-up what every read needs."""
    load_resources()
    _replica()
    _cache()


def respond_to_read(request: Request) -> Response:
    """Answer a GET of a collection, an item or a receipt. Raises Problem."""
    resource = load_resources().get(request.collection)
    if resource is None:
        raise Problem(404, "There is no such collection.")
    owner = request.caller.subject if resource.private else ""
    add_log_fields(collection=resource.collection)
    question = ReadContext(request, resource, owner, _replica(), _settings(), _cache())
    try:
        return _route_read(question)
    except (DatabaseUnavailable, LockConflict, AccessDenied, SchemaOutdated) as fault:
        add_log_fields(**describe_error(fault), fault=str(fault))
        raise Problem(503, "Reading is not possible at the moment.", headers={"Retry-After": "5"}) from None


def _route_read(question: ReadContext) -> Response:
    request = question.request
    if request.write_version:
        return respond_with_receipt(question)
    if not request.item_id:
        return respond_with_list(question)
    return respond_with_version(question) if "version" in request.query else respond_with_item(question)
