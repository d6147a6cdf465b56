"""Read one page of a collection."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import msgspec

from sluice.db.connection import Database
from sluice.http.problem import invalid_field_problem
from sluice.http.request import read_query_parameters
from sluice.http.response import Response, apply_if_none_match, compute_etag
from sluice.model.columns import LIST_PARAMETERS
from sluice.model.item_state import StoredItem, create_stored_item, list_columns
from sluice.model.list_parameters import OPERATORS, filter_parameter_names
from sluice.model.resource import Resource
from sluice.query import cursor as positions
from sluice.query.cursor import Cursor
from sluice.query.query_planner import DEFAULT_LIMIT, MAX_LIMIT, QueryPlan, plan_query
from sluice.query.read_context import ReadContext, cache_control_headers


def respond_with_list(question: ReadContext) -> Response:
    """Answer with a page of the collection. Raises Problem and the faults of `sluice.db.errors`."""
    resource, owner = question.resource, question.owner
    query = read_query_parameters(question.request, LIST_PARAMETERS | filter_parameter_names(resource))
    limit, fields = _parse_limit(query.get("limit", str(DEFAULT_LIMIT))), _parse_fields(resource, query.get("fields"))
    asked = plan_query(resource, query)
    wanted = PageRequest(limit, _parse_after(asked, owner, query), fields)
    found, next_page = select_page(question.database, asked, owner, wanted)
    body: dict[str, object] = {"items": found}
    headers = cache_control_headers(question)
    if next_page:
        body["next"] = positions.encode_cursor(asked, owner, next_page)
        headers["Link"] = f'<?{urlencode({**query, "limit": limit, "after": body["next"]})}>; rel="next"'
    encoded = msgspec.json.encode(body)
    headers["ETag"] = compute_etag(encoded)
    return apply_if_none_match(question.request, Response(200, encoded, headers))


def _parse_limit(text: str) -> int:
    limit = int(text) if re.fullmatch(r"[0-9]{1,4}", text) else 0
    if not 1 <= limit <= MAX_LIMIT:
        raise invalid_field_problem("limit", f"Expected a number from 1 to {MAX_LIMIT}", 400)
    return limit


def _parse_fields(resource: Resource, text: str | None) -> frozenset[str] | None:
    if text is None:
        return None
    fields = frozenset(text.split(","))
    if not fields <= {resource.key, *(column.name for column in resource.columns)}:
        raise invalid_field_problem("fields", "Expected names of fields, separated by commas", 400)
    return fields


def _parse_after(asked: QueryPlan, owner: str, query: Mapping[str, str]) -> Cursor | None:
    text = query.get("after", "")
    try:
        return positions.decode_cursor(asked, owner, text) if text else None
    except ValueError:
        raise invalid_field_problem(
            "after", "Expected the `next` of an earlier answer to the same question", 400
        ) from None


@dataclass(frozen=True)
class PageRequest:
    """Which part of a selection: at most how many items, after which, and with which fields (all, when None)."""

    limit: int
    after: Cursor | None = None
    fields: Collection[str] | None = None


def select_page(
    database: Database, selection: QueryPlan, owner: str, wanted: PageRequest
) -> tuple[list[StoredItem], Cursor | None]:
    """Return the items, and where the next page begins, if there is one.

    The index that answers is named in the statement: it has what is asked for in one piece, in order, without what was
    deleted, so that a page costs its own rows and no others. Raises the faults of `sluice.db.errors`.
    """
    order = f"`{selection.order_by.name}`" if selection.order_by else ""
    base, values = _create_base_statement(selection, owner, wanted, order)
    rows: list[dict[str, Any]] = []
    for condition, more, by in _split_into_ranges(order, wanted.after, descending=selection.descending):
        statement = f"{base}{condition} ORDER BY {by} LIMIT %s"
        rows += database.query(statement, (*values, *more, wanted.limit + 1 - len(rows)))
        if len(rows) > wanted.limit:
            break
    found = [create_stored_item(selection.resource, row, wanted.fields) for row in rows[: wanted.limit]]
    if len(rows) <= wanted.limit:
        return found, None
    last = rows[wanted.limit - 1]
    return found, Cursor(last["id"], last[selection.order_by.name] if selection.order_by else None)


def _create_base_statement(selection: QueryPlan, owner: str, wanted: PageRequest, order: str) -> tuple[str, list[Any]]:
    fields = wanted.fields
    if fields is not None and selection.order_by:
        fields = {*fields, selection.order_by.name}  # the next position needs its value
    conditions, values = ["owner = %s", "deleted = 0"], [owner]
    for name, value in selection.equals.items():
        conditions.append(f"`{name}` = %s")
        values.append(value)
    for operator, value in selection.bounds.items():
        conditions.append(f"{order} {OPERATORS[operator]} %s")
        values.append(value)
    index = selection.index.name if selection.index else "PRIMARY"
    table = f"`{selection.resource.collection}` FORCE INDEX (`{index}`)"
    columns = list_columns(selection.resource, fields)
    return f"SELECT {columns} FROM {table} WHERE {' AND '.join(conditions)}", values  # noqa: S608  declared names


def _split_into_ranges(order: str, after: Cursor | None, *, descending: bool) -> Iterator[tuple[str, list[Any], str]]:
    """What comes behind a position, one range of the index after the other: conditions, values, order.

    One condition for all of it (`f > x OR f = x AND id > y`) is no single range: the database would read more than a
    page, or sort; and of a union it reads every part. An item without a value comes before all that have one.
    """
    than, direction = ("<", " DESC") if descending else (">", "")
    by_id = f"id{direction}"
    by_both = f"{order}{direction}, {by_id}" if order else by_id
    if after is None:
        yield "", [], by_both
    elif not order:
        yield f" AND id {than} %s", [after.item_id], by_id
    elif after.value is None:
        yield f" AND {order} IS NULL AND id {than} %s", [after.item_id], by_id
        if not descending:
            yield f" AND {order} IS NOT NULL", [], by_both
    else:
        yield f" AND {order} = %s AND id {than} %s", [after.value, after.item_id], by_id
        yield f" AND {order} {than} %s", [after.value], by_both
        if descending:
            yield f" AND {order} IS NULL", [], by_id
