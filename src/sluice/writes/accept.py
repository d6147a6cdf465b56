"""Accepting a write: nothing is answered 202 that the stream did not take."""

import datetime
from functools import cache

import msgspec

from sluice import stream, versions
from sluice.api.problems import Problem
from sluice.api.requests import Caller, Request
from sluice.api.responses import Response
from sluice.observability import count, described, note
from sluice.records import LARGEST_RECORD, NO_DATA, Write, to_line
from sluice.registry import resources
from sluice.resource import Item, Resource
from sluice.settings import StreamSettings, read
from sluice.writes.conditions import refuse_conditions
from sluice.writes.decode import canonical, too_large


@cache
def settings() -> StreamSettings:
    return read(StreamSettings)


def prepare() -> None:
    """Do at start-up what every write needs: settings, resources, the stream's client."""
    settings()
    resources()
    stream.prepare()


def writable(request: Request) -> Resource:
    """Return the resource of the collection that a request may write to. Raises Problem 401, 404, 403 or 400."""
    collection, caller = request.collection, request.caller
    resource = resources().get(collection)
    if resource is None:
        raise Problem(404, "There is no such collection.")
    note(collection=collection)
    if resource.writers and resource.writers not in caller.groups:
        raise Problem(403, f"Only the group {resource.writers} may write to {collection}.")
    refuse_conditions(request)
    return resource


def write_of(  # noqa: PLR0913, PLR0917  what a write consists of
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
        data=NO_DATA if item is None else canonical(item, resource),
    )


def accept(resource: Resource, item_id: str, caller: Caller, item: Item | None, base: str = "") -> Response:
    """Put a write on the stream (an item, or None for a delete) and return its receipt.

    `base` is the collection's address as seen from the request's. Raises Problem 413 when its record would be too
    large, 503 when the stream did not take it.
    """
    moment = datetime.datetime.now(datetime.UTC)
    write = write_of(resource, caller, item_id, versions.new_version(), moment, item)
    line = to_line(write)
    if len(line) > LARGEST_RECORD:
        raise too_large()
    note(version=write.version, operation=write.operation)
    try:
        stream.put(settings().stream_name, line)
    except stream.StreamAway as away:
        note(**described(away), stream_error=away.code)
        count("WritesRefused")
        raise Problem(503, "The write was not accepted; try again.", headers={"Retry-After": "1"}) from None
    count("WritesAccepted")
    return _taken(write, base)


def receipt_of(base: str, item_id: str, version: str) -> str:
    """The address of a write's receipt. It is relative, because only the client knows how it reached us."""
    return f"{base}{item_id}/writes/{version}"


def _taken(write: Write, base: str) -> Response:
    receipt = receipt_of(base, write.id, write.version)
    body = {"id": write.id, "version": write.version, "status": "pending", "receipt": receipt}
    headers = {
        "Location": f"{base}{write.id}",
        "Link": f'<{receipt}>; rel="status"',
        "Retry-After": str(settings().buffer_seconds),
        "Cache-Control": "no-store",
    }
    return Response(202, msgspec.json.encode(body), headers)
