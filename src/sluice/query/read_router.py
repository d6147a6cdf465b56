"""Answer a GET of a collection, an item or a receipt."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sluice.db.connection import Database
from sluice.db.moment import format_moment
from sluice.errors import DATABASE_ERRORS
from sluice.http.problem import Problem, missing_subject_problem
from sluice.http.request import Request
from sluice.http.response import AS_OF_HEADER, Response
from sluice.model.resource import Resource
from sluice.observability import add_log_fields, describe_error
from sluice.query.item import respond_with_item, respond_with_version
from sluice.query.list import respond_with_list
from sluice.query.read_context import ReadContext
from sluice.query.receipt import respond_with_receipt
from sluice.query.replica_reads import ReplicaReads
from sluice.settings import ReadSettings

if TYPE_CHECKING:  # a function without a cache does not import the cache's code
    from sluice.cache.reader import CacheReader


class ReadRouter:
    """Answers the GETs of these resources, from the cache if there is one, else from the replica."""

    def __init__(
        self,
        resources: Mapping[str, Resource],
        database: Database,
        settings: ReadSettings,
        cache: "CacheReader | None" = None,
    ) -> None:
        self.resources = resources
        self.database = database
        self.settings = settings
        self.cache = cache

    def respond(self, request: Request) -> Response:
        """Answer a GET. Raises Problem."""
        resource = self.resources.get(request.collection)
        if resource is None:
            raise Problem(404, "There is no such collection.")
        owner = _read_owner(request) if resource.private else ""
        add_log_fields(collection=resource.collection)
        context = ReadContext(request, resource, owner, ReplicaReads(self.database), self.settings, self.cache)
        try:
            response = _route_read(context)
        except DATABASE_ERRORS as error:
            add_log_fields(**describe_error(error), fault=str(error))
            raise Problem(503, "Reading is not possible at the moment.", headers={"Retry-After": "5"}) from None
        if moment := context.reads.moment:
            response.headers[AS_OF_HEADER] = format_moment(moment)
        return response


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
