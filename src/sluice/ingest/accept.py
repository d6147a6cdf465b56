"""Authorize a write, put it on the stream, and respond with its receipt. No 202 before the stream has the write."""

import datetime
from collections.abc import Mapping

import msgspec

from sluice.aws.client import create_client
from sluice.errors import StreamUnavailable
from sluice.http.problem import FieldFault, Problem, missing_subject_problem
from sluice.http.request import Caller, Request
from sluice.http.response import Response
from sluice.ingest.firehose import FIREHOSE_SERVICE, FirehoseStream
from sluice.ingest.item_body import record_too_large_problem
from sluice.model.canary_item import load_served_resources
from sluice.model.record import MAX_RECORD_BYTES, create_record
from sluice.model.resource import Item, Resource
from sluice.model.versions import new_version
from sluice.observability import add_log_fields, add_metric, describe_error
from sluice.settings import StreamSettings, read_settings

NOT_ACCEPTED_DETAIL = "The write was not accepted; retry it."
RETRY_AFTER_HEADERS = {"Retry-After": "1"}  # seconds: what a client waits after a 503

_CONDITION_HEADERS = ("If-Match", "If-None-Match", "If-Unmodified-Since")
_CONDITION_DETAIL = (
    "A write cannot have a condition: it is applied later, in the order of the versions, whatever arrives first."
)


class WriteContext(msgspec.Struct, frozen=True):
    """What a write function creates once, when it starts. `buffer_seconds`: how long Firehose may hold a write."""

    resources: Mapping[str, Resource]
    stream: FirehoseStream
    buffer_seconds: int


def create_write_context() -> WriteContext:
    """Read the settings, load the resources, and create the stream's client. Raises RuntimeError for the settings."""
    settings = read_settings(StreamSettings)
    stream = FirehoseStream(settings.stream_name, create_client(FIREHOSE_SERVICE))
    return WriteContext(load_served_resources(), stream, settings.buffer_seconds)


def authorize_write(request: Request, resources: Mapping[str, Resource]) -> tuple[Resource, Caller]:
    """Return the resource that a request may write to, and its caller. Raises Problem 401, 404, 403 or 400."""
    if request.caller is None:
        raise missing_subject_problem()
    resource = resources.get(request.collection)
    if resource is None:
        raise Problem(404, "There is no such collection.")
    add_log_fields(collection=resource.collection)
    if resource.writers and resource.writers not in request.caller.groups:
        raise Problem(403, f"Only the group {resource.writers} may write to {resource.collection}.")
    # To ignore a condition would lose what it should protect; `docs/adr` says why none can be kept.
    if faults := [FieldFault(name, "Expected none") for name in _CONDITION_HEADERS if name.lower() in request.headers]:
        raise Problem(400, _CONDITION_DETAIL, faults=faults)
    return resource, request.caller


def accept_write(  # noqa: PLR0913, PLR0917  what a write consists of
    context: WriteContext,
    resource: Resource,
    caller: Caller,
    item_id: str,
    item: Item | None,
    base_path: str = "",
    *,
    request_id: str,
) -> Response:
    """Put a write on the stream and respond 202 with its receipt. `item` is None for a delete.

    `base_path` is the path of the collection, relative to the request's. Raises Problem 413 if the record is too large,
    503 if the stream did not take it.
    """
    version, accepted_at = new_version(), datetime.datetime.now(datetime.UTC)
    record = create_record(resource, caller.subject, item_id, version, accepted_at, item, request_id)
    if len(record) > MAX_RECORD_BYTES:
        raise record_too_large_problem()
    add_log_fields(version=version, operation="delete" if item is None else "put")
    try:
        context.stream.put_record(record)
    except StreamUnavailable as error:
        add_log_fields(**describe_error(error), stream_error=error.code)
        add_metric("WritesRefused")
        raise Problem(503, NOT_ACCEPTED_DETAIL, headers=RETRY_AFTER_HEADERS) from None
    add_metric("WritesAccepted")
    return _create_accepted_response(base_path, item_id, version, context.buffer_seconds)


def build_receipt_path(base_path: str, item_id: str, version: str) -> str:
    """Return the path of a write's receipt. It is relative: only the client knows by which host it reached us."""
    return f"{base_path}{item_id}/writes/{version}"


def _create_accepted_response(base_path: str, item_id: str, version: str, buffer_seconds: int) -> Response:
    receipt = build_receipt_path(base_path, item_id, version)
    body = {"id": item_id, "version": version, "status": "pending", "receipt": receipt}
    headers = {
        "Location": f"{base_path}{item_id}",
        "Link": f'<{receipt}>; rel="status"',
        "Retry-After": str(buffer_seconds),
        "Cache-Control": "no-store",
    }
    return Response(202, msgspec.json.encode(body), headers)
