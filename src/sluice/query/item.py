"""Read one item: from the cache if there is one, else from the replica.

A read of one's own write (`?version=`) waits until the replica has that version of the item, or a later one.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

from sluice.db.connection import Queries
from sluice.db.moment import MOMENT_COLUMN, MOMENT_NAME, SELECT_MOMENT, get_moment
from sluice.errors import DatabaseUnavailable, LockConflict
from sluice.http.conditional_requests import apply_if_none_match, list_etags
from sluice.http.problem import Problem
from sluice.http.request import Request, parse_preferred_wait, read_query_parameters
from sluice.http.response import Response
from sluice.model.item_state import ItemAddress, ItemState
from sluice.model.resource import Resource
from sluice.model.versions import VERSION_LENGTH, is_version, version_age_seconds
from sluice.observability import add_log_fields, describe_error
from sluice.query.item_rows import create_item_state, has_item, list_columns
from sluice.query.read_context import (
    ReadContext,
    cache_control_headers,
    create_etag,
    retry_after_seconds,
    validate_version,
    validator_headers,
)

EXTRA_COLUMN = "_extra"  # no field of a resource begins with an underscore
MAX_CLOCK_SKEW_SECONDS = 60


class SelectedItem(NamedTuple):
    """What a statement shows: an item's state, its moment, and the result of another query in the same snapshot."""

    state: ItemState
    moment: str
    extra: str | None


ReadItem = Callable[[Callable[[Queries], SelectedItem | None]], SelectedItem | None]


def respond_with_item(context: ReadContext) -> Response:
    """Respond with the item as a replica has it, or as a replica had it when the cache stored it.

    A state that is older than what the client has (`If-None-Match`) is no answer: then it is 304. Raises Problem and
    the errors of `sluice.errors`.
    """
    read_query_parameters(context.request)
    version = find_client_version(context.request)
    state = read_through(context, context.item_id, version)
    # Without a row the version may be another item's, or another owner's, so nothing says that the client is ahead.
    if state and state.version < version and not _is_excludable(context, version):
        etag = create_etag(context.resource, version)
        add_log_fields(client_is_ahead=version)
        context.reads.forget_moment()
        return Response(304, headers={**cache_control_headers(context), "ETag": etag}, content_type="")
    return create_item_response(context, state)


def respond_with_version(context: ReadContext) -> Response:
    """Respond with the item as soon as the replica has the requested version or a later one.

    Waits for the seconds that the client prefers, at most for `wait_seconds` of the settings. Raises Problem 425 if
    the version has not arrived by then, and those errors of `sluice.errors` that a wait does not resolve.
    """
    version = validate_version(read_query_parameters(context.request, {"version"})["version"])
    item_id = context.item_id
    preferred_seconds = parse_preferred_wait(context.request)
    wait_seconds = min(preferred_seconds or 0, context.settings.wait_seconds)
    applied = {} if preferred_seconds is None else {"Preference-Applied": f"wait={wait_seconds}"}
    add_log_fields(awaited=version, wait=wait_seconds)
    try:
        state = read_through_version(context, item_id, version)
    except (DatabaseUnavailable, LockConflict) as error:
        # Like a replica without the version: it may recover.
        add_log_fields(unavailable={**describe_error(error), "fault": str(error)})
        state = None
    if state is None:
        headers = _too_early_headers(context, version) | applied
        raise Problem(425, "The replica does not have this version of the item yet.", headers=headers)
    try:
        response = create_item_response(context, state)
    except Problem as problem:
        problem.headers |= applied
        raise
    response.headers.update(applied)
    return response


def _too_early_headers(context: ReadContext, version: str) -> dict[str, str]:
    return {
        "Retry-After": str(retry_after_seconds(version, context.settings.buffer_seconds)),
        "Link": f'<{context.request.item_id}/writes/{version}>; rel="status"',
    }


def create_item_response(context: ReadContext, state: ItemState | None) -> Response:
    """Create the response, or a 304 if the client has this state already. Raises Problem 404 if there is no item."""
    if state is None or state.body is None:
        raise Problem(404, "There is no such item.")
    add_log_fields(version=state.version)
    headers = cache_control_headers(context) | validator_headers(context.resource, state)
    return apply_if_none_match(context.request, Response(200, state.body, headers))


def read_through(context: ReadContext, item_id: str, client_version: str = "") -> ItemState | None:
    """Read the state of an item, or None. Raises Problem 425 and the errors of `sluice.errors`.

    The cache contains only what a replica returned earlier, so it is never ahead of the replicas. While no replica has
    the client's version or a later one, the state is an older one, or None.
    """

    def is_complete(item: SelectedItem | None) -> bool:
        return not client_version or (item is not None and item.state.version >= client_version)

    return _read_through(context, item_id, client_version, "", lambda select: context.reads.read(select, is_complete))


def read_through_version(context: ReadContext, item_id: str, version: str) -> ItemState | None:
    """Read the state of an item at a version or later, or None if no replica has it in time. Raises as above."""
    return _read_through(context, item_id, version, version, context.reads.read_version)


def _read_through(
    context: ReadContext, item_id: str, cached_from: str, selected_from: str, read: ReadItem
) -> ItemState | None:
    """Read from the cache at `cached_from` or later, else with `read` what is at `selected_from` or later."""
    cache, address = context.cache, ItemAddress(context.resource, context.owner, item_id)
    if cache is None:
        item = read(lambda database: select_item(database, address, selected_from))
        return item.state if item else None
    # The state includes the moment of the cache: a client that has seen a later one asks the replicas.
    entry = cache.read_item(address) if cache.moment >= context.reads.floor else None
    if entry and entry.state.version >= cached_from:
        context.reads.add_cached(entry.moment, cache.moment)
        return entry.state
    asked_at = cache.clock()
    item = read(lambda database: select_item(database, address, selected_from, cache.epoch_query))
    if item is None:
        return None
    cache.store_item(address, item.state, item.extra, asked_at, item.moment)
    return item.state


def find_client_version(request: Request) -> str:
    """Return the newest version of the item that the client has by its If-None-Match, or an empty text.

    A version of the future is none: nobody can have it.
    """
    versions = (etag.strip('"')[:VERSION_LENGTH] for etag in list_etags(request))
    real = (text for text in versions if is_version(text) and version_age_seconds(text) > -MAX_CLOCK_SKEW_SECONDS)
    return max(real, default="")


def _is_excludable(context: ReadContext, version: str) -> bool:
    """Whether a rebuild may have left out a write of this version. Then the older state is the newest."""
    rows = context.reads.read(
        lambda database: database.query(
            f"SELECT version, ({SELECT_MOMENT}) AS {MOMENT_COLUMN} FROM marks WHERE name = 'exclusions'",  # noqa: S608
            (),
        )
    )
    return bool(rows) and version < rows[0]["version"]


def select_item(
    database: Queries, address: ItemAddress, min_version: str = "", extra_query: str = ""
) -> SelectedItem | None:
    """Select an item at a version or later, also if it is deleted. Return None if there is none.

    `extra_query` is a query of one value. Raises the errors of `sluice.db.errors`.
    """
    statement, first_statement = _create_item_statements(address.resource, extra_query)
    values = (address.owner, address.id, min_version)
    rows = database.query(statement, values, is_frequent=True) or database.query(first_statement, values)
    row = rows[0] if rows else None
    if row is None or not has_item(row):
        return None
    return SelectedItem(create_item_state(address.resource, address.id, row), get_moment(row), row.get(EXTRA_COLUMN))


@functools.cache
def _create_item_statements(resource: Resource, extra_query: str) -> tuple[str, str]:
    """Create the statement of an item, and the one for the time before the first moment."""
    # The version is in the condition because another replica may answer the next statement. Both tables are read by
    # their primary keys. With the moment in the first, there is a row to hold it when there is no item.
    extra = f", ({extra_query}) AS {EXTRA_COLUMN}" if extra_query else ""
    columns, first_columns = (
        list_columns(resource, moment, table="item.") + extra for moment in ("marks.version", "''")
    )
    table, condition = f"`{resource.collection}` AS item", "item.owner = %s AND item.id = %s AND item.version >= %s"
    return (
        f"SELECT {columns} FROM marks LEFT JOIN {table} ON {condition} WHERE marks.name = '{MOMENT_NAME}'",  # noqa: S608
        f"SELECT {first_columns} FROM {table} WHERE {condition}",  # noqa: S608  declared names
    )
