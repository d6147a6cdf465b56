"""Answer a GET of a collection, an item or a receipt."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from sluice.db.connection import Database
from sluice.db.moment import format_moment, parse_client_moment
from sluice.errors import DATABASE_ERRORS
from sluice.http.problem import Problem, invalid_field_problem, missing_subject_problem
from sluice.http.request import Request, has_several_lines, parse_preferred_wait
from sluice.http.response import AS_OF_HEADER, Response
from sluice.model.resource import Resource
from sluice.observability import add_log_fields, describe_error
from sluice.query.item import respond_with_item, respond_with_version
from sluice.query.list import respond_with_list
from sluice.query.read_context import ReadContext
from sluice.query.receipt import respond_with_receipt
from sluice.query.replica_reads import ReplicaReads
from sluice.query.replica_set import ReplicaSet
from sluice.settings import ReadSettings

if TYPE_CHECKING:  # a function without a cache does not import the cache's code
    from sluice.cache.reader import CacheReader

_FLOOR_HEADER = AS_OF_HEADER.lower()


class ReadRouter:
    """Answers the GETs of these resources, from the cache if there is one, else from one of the replicas."""

    def __init__(
        self,
        resources: Mapping[str, Resource],
        databases: Sequence[Database],
        settings: ReadSettings,
        cache: "CacheReader | None" = None,
    ) -> None:
        self.resources = resources
        self.replicas = ReplicaSet(databases)
        self.settings = settings
        self.cache = cache

    def respond(self, request: Request) -> Response:
        """Answer a GET. Raises Problem."""
        resource = self.resources.get(request.collection)
        if resource is None:
            raise Problem(404, "There is no such collection.")
        owner = _read_owner(request) if resource.private else ""
        add_log_fields(collection=resource.collection)
        context = ReadContext(request, resource, owner, self._create_reads(request, owner), self.settings, self.cache)
        try:
            response = _route_read(context)
        except DATABASE_ERRORS as error:
            add_log_fields(**describe_error(error), fault=str(error))
            raise Problem(503, "Reading is not possible at the moment.", headers={"Retry-After": "5"}) from None
        except Problem as problem:
            # That an item is not there, or is deleted, is a state too.
            _name_moment(problem, context)
            raise
        _name_moment(response, context)
        return response

    def _create_reads(self, request: Request, owner: str) -> ReplicaReads:
        floor, wait_seconds = _read_floor(request), 0
        # The cache key of a list does not have the preference.
        if request.item_id and (floor or "version" in request.query):
            wait_seconds = min(parse_preferred_wait(request) or 0, self.settings.wait_seconds)
        address = f"{request.collection}\n{owner}\n{request.item_id or _canonicalize_query(request)}"
        return ReplicaReads(self.replicas, address, floor, wait_seconds)


def _name_moment(response: Response | Problem, context: ReadContext) -> None:
    if moment := context.reads.moment:
        response.headers[AS_OF_HEADER] = format_moment(moment)


def _read_floor(request: Request) -> str:
    """Return the moment that the answer must include, or an empty text. Raises Problem 400."""
    text = request.headers.get(_FLOOR_HEADER)
    if text is None:
        return ""
    moment = "" if has_several_lines(request, _FLOOR_HEADER) else parse_client_moment(text)
    if not moment:
        raise invalid_field_problem(AS_OF_HEADER, "Expected the value of an earlier response, once", 400)
    return moment


def _canonicalize_query(request: Request) -> str:
    """Return what makes a list an address of its own. All of its pages have the same home replica."""
    return urlencode(sorted(pair for pair in request.query.items() if pair[0] not in ("after", "limit", "fields")))


def _route_read(context: ReadContext) -> Response:
    request = context.request
    if request.write_version:
        return respond_with_receipt(context)
    if not request.item_id:
        return respond_with_list(context)
    return respond_with_version(context) if "version" in request.query else respond_with_item(context)


def _read_owner(request: Request) -> str:
    """Return the owner of the private items that a request may see. Raises Problem 401."""
    if request.caller is None:
        raise missing_subject_problem()
    return request.caller.subject
