"""Read one item: from the cache if there is one, else from the replica.

A read of one's own write (`?version=`) waits until the replica has that version of the item, or a later one.
"""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from sluice.db.connection import Queries
from sluice.db.moment import MOMENT_COLUMN, MOMENT_NAME
from sluice.errors import DatabaseUnavailable, LockConflict
from sluice.http.conditional_requests import apply_if_none_match
from sluice.http.problem import Problem
from sluice.http.request import parse_preferred_wait, read_query_parameters
from sluice.http.response import Response
from sluice.model.item_state import ItemAddress, ItemState, Row, create_item_state, list_columns
from sluice.observability import add_log_fields, describe_error
from sluice.query.read_context import (
    ReadContext,
    cache_control_headers,
    retry_after_seconds,
    validate_version,
    validator_headers,
)

FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS = 0.05, 0.5
EXTRA_COLUMN = "_extra"  # no field of a resource begins with an underscore

T = TypeVar("T")


def respond_with_item(context: ReadContext) -> Response:
    """Respond with the item as the replica has it, or as the replica had it when the cache stored it.

    Raises Problem and the errors of `sluice.errors`.
    """
    read_query_parameters(context.request)
    return create_item_response(context, read_through(context, context.item_id))


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
    state = poll_until_present(lambda: _read_once(context, item_id, version), wait_seconds)
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


def poll_until_present(read: Callable[[], T | None], timeout_seconds: float) -> T | None:
    """Call `read` until it returns a value: at once, then at growing intervals, and a last time at the timeout."""
    deadline, backoff = time.monotonic() + timeout_seconds, FIRST_BACKOFF_SECONDS
    while (value := read()) is None and (remaining := deadline - time.monotonic()) > 0:
        time.sleep(min(remaining, random.uniform(backoff / 2, backoff)))  # noqa: S311  jitter
        backoff = min(backoff * 1.5, MAX_BACKOFF_SECONDS)
    return value


def _read_once(context: ReadContext, item_id: str, version: str) -> ItemState | None:
    """Read once. Treat an unavailable replica as one without the version: it may recover before the timeout."""
    context.reads.forget_moments()
    try:
        return read_through(context, item_id, version)
    except (DatabaseUnavailable, LockConflict) as error:
        add_log_fields(unavailable={**describe_error(error), "fault": str(error)})
        return None


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


def read_through(context: ReadContext, item_id: str, min_version: str = "") -> ItemState | None:
    """Read the state of an item at a version or later, or None. Raises the errors of `sluice.errors`.

    The cache contains only what the replica returned earlier, so it is never ahead of the replica.
    """
    cache, address = context.cache, ItemAddress(context.resource, context.owner, item_id)
    if cache is None:
        row = select_item(context.reads, address, min_version)
        return create_item_state(context.resource, row) if row else None
    cached = cache.read_item(address)
    if cached and cached.version >= min_version:
        context.reads.add_moment(cache.moment)
        return cached
    asked_at = cache.clock()
    row = select_item(context.reads, address, min_version, cache.epoch_query)
    if row is None:
        return None
    state = create_item_state(context.resource, row)
    cache.store_item(address, state, row[EXTRA_COLUMN], asked_at, context.reads.moment or "")
    return state


def select_item(database: Queries, address: ItemAddress, min_version: str = "", extra_query: str = "") -> Row | None:
    """Select the row of an item at a version or later, also if it is a tombstone. Return None if there is none.

    The row contains the result of `extra_query` as EXTRA_COLUMN, from the same snapshot.
    """
    # The version is in the condition because another replica may answer the next statement. Both tables are read by
    # their primary keys. With the moment in the first, there is a row to hold it when there is no item.
    extra = f"({extra_query}) AS {EXTRA_COLUMN}, " if extra_query else ""
    columns = f"{extra}item.deleted, {list_columns(address.resource, table='item.')}"
    condition = "item.owner = %s AND item.id = %s AND item.version >= %s"
    table, values = f"`{address.resource.collection}` AS item", (address.owner, address.id, min_version)
    rows = database.query(
        f"SELECT marks.version AS {MOMENT_COLUMN}, {columns} "  # noqa: S608  declared names
        f"FROM marks LEFT JOIN {table} ON {condition} WHERE marks.name = '{MOMENT_NAME}'",
        values,
    )
    if not rows:  # before the first moment
        rows = database.query(f"SELECT '' AS {MOMENT_COLUMN}, {columns} FROM {table} WHERE {condition}", values)  # noqa: S608
    return rows[0] if rows and rows[0]["version"] is not None else None
