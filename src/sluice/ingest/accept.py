"""Authorize a write, put it on the stream, and answer with its receipt."""

import datetime
from functools import cache

import msgspec

from sluice.errors import StreamUnavailable
from sluice.http.problem import FieldFault, Problem
from sluice.http.request import Caller, Request
from sluice.http.response import Response
from sluice.ingest import firehose as stream
from sluice.ingest.item_body import encode_item, record_too_large_problem
from sluice.model import versions
from sluice.model.record import MAX_RECORD_BYTES, NULL_DATA, Write, encode_write
from sluice.model.resource import Item, Resource, load_resources
from sluice.observability import add_log_fields, add_metric, describe_error
from sluice.settings import StreamSettings, read_settings


@cache
def settings() -> StreamSettings:
    return read_settings(StreamSettings)


def prepare() -> None:
    """Do at start-up what every write needs: settings, resources, the stream's client."""
    settings()
    load_resources()
    stream.prepare()


def authorize_write(request: Request) -> Resource:
    """Return the resource of the collection that a request may write to. Raises Problem 401, 404, 403 or 400."""
    collection, caller = request.collection, request.caller
    resource = load_resources().get(collection)
    if resource is None:
        raise Problem(404, "There is no such collection.")
    add_log_fields(collection=collection)
    if resource.writers and resource.writers not in caller.groups:
        raise Problem(403, f"Only the group {resource.writers} may write to {collection}.")
    reject_conditional_write(request)
    return resource


def create_write(  # noqa: PLR0913, PLR0917  what a write consists of
    resource: Resource, caller: Caller, item_id: str, version: str, moment: datetime.datetime, item: Item | None
) -> Write:
    """The write of an item, or with None of a delete, that was accepted at a moment."""
    return Write(
        version=version,
        collection=resource.collection,
        id=item_id,
        operation="delete" if item is None else "put",
        owner=caller.subject if resource.private else "",
        accepted_at=moment,
        schema=resource.revision,
        data=NULL_DATA if item is None else encode_item(item, resource),
    )


def accept_write(resource: Resource, item_id: str, caller: Caller, item: Item | None, base: str = "") -> Response:
    """Put a write on the stream (an item, or None for a delete) and return its receipt.

    `base` is the collection's address as seen from the request's. Raises Problem 413 when its record would be too
    large, 503 when the stream did not take it.
    """
    moment = datetime.datetime.now(datetime.UTC)
    write = create_write(resource, caller, item_id, versions.new_version(), moment, item)
    line = encode_write(write)
    if len(line) > MAX_RECORD_BYTES:
        raise record_too_large_problem()
    add_log_fields(version=write.version, operation=write.operation)
    try:
        stream.put_record(settings().stream_name, line)
    except StreamUnavailable as away:
        add_log_fields(**describe_error(away), stream_error=away.code)
        add_metric("WritesRefused")
        raise Problem(503, "The write was not accepted; try again.", headers={"Retry-After": "1"}) from None
    add_metric("WritesAccepted")
    return _taken(write, base)


def build_receipt_path(base: str, item_id: str, version: str) -> str:
    """The address of a write's receipt. It is relative, because only the client knows how it reached us."""
    return f"{base}{item_id}/writes/{version}"


def _taken(write: Write, base: str) -> Response:
    receipt = build_receipt_path(base, write.id, write.version)
    body = {"id": write.id, "version": write.version, "status": "pending", "receipt": receipt}
    headers = {
        "Location": f"{base}{write.id}",
        "Link": f'<{receipt}>; rel="status"',
        "Retry-After": str(settings().buffer_seconds),
        "Cache-Control": "no-store",
    }
    return Response(202, msgspec.json.encode(body), headers)


_CONDITIONS = ("If-Match", "If-None-Match", "If-Unmodified-Since")


_WHY = "A write cannot have a condition: it is applied later, in the order of the versions, whatever arrives first."


def reject_conditional_write(request: Request) -> None:
    """Raise Problem 400 for a write with a condition: to pass it over would lose what it should protect."""
    if faults := [FieldFault(name, "Expected none") for name in _CONDITIONS if name.lower() in request.headers]:
        raise Problem(400, _WHY, faults=faults)
