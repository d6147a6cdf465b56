"""Answers to reads."""

from functools import cache
from typing import TYPE_CHECKING

from sluice.api.problems import Problem
from sluice.api.requests import Request
from sluice.api.responses import Response
from sluice.database import Database
from sluice.faults import AccessDenied, DatabaseAway, SchemaBehind, TryAgain
from sluice.observability import described, note
from sluice.reading.awaiting import answer_version
from sluice.reading.lists import answer_list
from sluice.reading.question import Question
from sluice.reading.receipts import answer_receipt
from sluice.reading.single import answer_item
from sluice.registry import resources
from sluice.settings import CacheSettings, ReadSettings, has_cache, read

if TYPE_CHECKING:
    from sluice.cache.lookup import Lookup

# Well below API Gateway's 29 seconds: a client learns soon that the replica does not answer.
STATEMENT_SECONDS = 10
# Far above what the cache takes, and below what anybody notices.
CACHE_SECONDS = 0.25


@cache
def _settings() -> ReadSettings:
    return read(ReadSettings)


@cache
def _replica() -> Database:
    return Database(_settings(), statement_seconds=STATEMENT_SECONDS)


@cache
def _cache() -> "Lookup | None":
    if not has_cache():
        return None
    from sluice.cache.client import Client  # noqa: PLC0415  only with a cache is its code imported
    from sluice.cache.lookup import Lookup  # noqa: PLC0415

    settings = read(CacheSettings)
    return Lookup(Client(settings, CACHE_SECONDS), settings.cache_seconds)


def prepare() -> None:
    """Do at start-up what every read needs."""
    resources()
    _replica()
    _cache()


def answer(request: Request) -> Response:
    """Answer a GET of a collection, an item or a receipt. Raises Problem."""
    resource = resources().get(request.collection)
    if resource is None:
        raise Problem(404, "There is no such collection.")
    owner = request.caller.subject if resource.private else ""
    note(collection=resource.collection)
    question = Question(request, resource, owner, _replica(), _settings(), _cache())
    try:
        return _answer(question)
    except (DatabaseAway, TryAgain, AccessDenied, SchemaBehind) as fault:
        note(**described(fault), fault=str(fault))
        raise Problem(503, "Reading is not possible at the moment.", headers={"Retry-After": "5"}) from None


def _answer(question: Question) -> Response:
    request = question.request
    if request.write_version:
        return answer_receipt(question)
    if not request.item_id:
        return answer_list(question)
    return answer_version(question) if "version" in request.query else answer_item(question)
