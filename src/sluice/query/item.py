"""Read one item: from the cache if there is one, else from the replica."""

from sluice.db.connection import Database
from sluice.http.problem import Problem
from sluice.http.request import read_query_parameters
from sluice.http.response import Response, apply_if_none_match
from sluice.model.item_state import ItemAddress, ItemState, Row, create_item_state, list_columns
from sluice.observability import add_log_fields
from sluice.query.read_context import ReadContext, cache_control_headers, validator_headers


def respond_with_item(question: ReadContext) -> Response:
    """Answer with the item as the replica has it, or as it had it when the cache took it.

    Raises Problem and the faults of `sluice.db.errors`.
    """
    read_query_parameters(question.request)
    return create_item_response(question, read_through(question, question.item_id))


def create_item_response(question: ReadContext, state: ItemState | None) -> Response:
    """An item as an answer, unless the client holds it. Raises Problem 404 where there is none."""
    if state is None or state.body is None:
        raise Problem(404, "There is no such item.")
    add_log_fields(version=state.version)
    headers = cache_control_headers(question) | validator_headers(question.resource, state)
    return apply_if_none_match(question.request, Response(200, state.body, headers))


def read_through(question: ReadContext, item_id: str, version: str = "") -> ItemState | None:
    """The state of an item at a version or later, None while there is none. Raises the faults of `sluice.db.errors`.

    The cache has only what the replica has shown: an answer out of it is never ahead of the replica.
    """
    cache, address = question.cache, ItemAddress(question.resource, question.owner, item_id)
    if cache is None:
        row = select_item(question.database, address, version)
        return create_item_state(question.resource, row) if row else None
    kept = cache.read_item(address)
    if kept and kept.version >= version:
        return kept
    asked = cache.clock()
    row = select_item(question.database, address, version, cache.epoch_query)
    if row is None:
        return None
    state = create_item_state(question.resource, row)
    cache.store_item(address, state, row["more"], asked)
    return state


def select_item(database: Database, address: ItemAddress, version: str = "", more: str = "") -> Row | None:
    """Return the row of an item as it is at a version or later, its tombstone too; None while there is none.

    `more` is an expression; its value comes along as `more`, of the same moment.
    """
    # The version is in the condition, not in a look before: the next statement may meet another server.
    rows = database.query(
        f"SELECT deleted, {f'({more}) AS more, ' if more else ''}{list_columns(address.resource)} "  # noqa: S608  declared names
        f"FROM `{address.resource.collection}` WHERE owner = %s AND id = %s AND version >= %s",
        (address.owner, address.id, version),
    )
    return rows[0] if rows else None
