"""Read one page of a collection, and encode the cursor of the next page."""

import base64
import hashlib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import msgspec

from sluice.db.connection import Queries
from sluice.db.moment import SELECT_MOMENT
from sluice.http.conditional_requests import apply_if_none_match, compute_etag
from sluice.http.problem import invalid_field_problem
from sluice.http.request import read_query_parameters
from sluice.http.response import Response
from sluice.model.columns import LIST_PARAMETERS
from sluice.model.item_state import StoredItem
from sluice.model.list_parameters import OPERATORS, filter_parameter_names, format_value, parse_value
from sluice.model.resource import Resource, describe_invalid_id
from sluice.query.item_rows import create_stored_items, list_columns, read_head
from sluice.query.query_planner import DEFAULT_LIMIT, MAX_LIMIT, QueryPlan, plan_query
from sluice.query.read_context import ReadContext, cache_control_headers


@dataclass(frozen=True)
class Cursor:
    """The last item of a page: its id, and its value of the sort field (None: the item has no value there)."""

    item_id: str
    value: Any = None


@dataclass(frozen=True)
class PageRequest:
    """One page of a list: at most `limit` items after a cursor, with these fields (None: all)."""

    limit: int
    after: Cursor | None = None
    fields: Collection[str] | None = None


def respond_with_list(context: ReadContext) -> Response:
    """Respond with one page of the collection. Raises Problem and the errors of `sluice.errors`."""
    resource, owner = context.resource, context.owner
    query = read_query_parameters(context.request, LIST_PARAMETERS | filter_parameter_names(resource))
    limit, fields = _parse_limit(query.get("limit", str(DEFAULT_LIMIT))), _parse_fields(resource, query.get("fields"))
    plan = plan_query(resource, query)
    page = PageRequest(limit, _parse_after(plan, owner, query), fields)
    items, next_cursor = context.reads.read(lambda database: select_page(database, plan, owner, page))
    body: dict[str, object] = {"items": items}
    headers = cache_control_headers(context)
    if next_cursor:
        body["next"] = encode_cursor(plan, owner, next_cursor)
        headers["Link"] = f'<?{urlencode({**query, "limit": limit, "after": body["next"]})}>; rel="next"'
    encoded = msgspec.json.encode(body)
    headers["ETag"] = compute_etag(encoded)
    return apply_if_none_match(context.request, Response(200, encoded, headers))


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


def _parse_after(plan: QueryPlan, owner: str, query: Mapping[str, str]) -> Cursor | None:
    text = query.get("after", "")
    try:
        return decode_cursor(plan, owner, text) if text else None
    except ValueError:
        raise invalid_field_problem("after", "Expected the `next` of an earlier page of the same list", 400) from None


def select_page(
    database: Queries, plan: QueryPlan, owner: str, page: PageRequest
) -> tuple[list[StoredItem], Cursor | None]:
    """Return the items of a page, and the cursor of the next page if there is one.

    The statement names the index of the plan. This index contains the requested items contiguously, in order and
    without deleted ones, so a page reads only its own rows. Raises the errors of `sluice.errors`.
    """
    order_by = f"`{plan.order_by.name}`" if plan.order_by else ""
    base, values = _create_base_statement(plan, owner, page, order_by)
    rows: list[dict[str, Any]] = []
    for condition, range_values, order in _split_into_ranges(order_by, page.after, descending=plan.descending):
        statement = f"{base}{condition} ORDER BY {order} LIMIT %s"
        rows += database.query(statement, (*values, *range_values, page.limit + 1 - len(rows)))
        if len(rows) > page.limit:
            break
    stored = ((row["id"], read_head(row), row) for row in rows[: page.limit])
    items = create_stored_items(plan.resource, stored, page.fields)
    if len(rows) <= page.limit:
        return items, None
    last = rows[page.limit - 1]
    return items, Cursor(last["id"], last[plan.order_by.name] if plan.order_by else None)


def _create_base_statement(plan: QueryPlan, owner: str, page: PageRequest, order_by: str) -> tuple[str, list[Any]]:
    fields = page.fields
    if fields is not None and plan.order_by:
        fields = {*fields, plan.order_by.name}  # the next cursor needs its value
    conditions, values = ["owner = %s", "deleted = 0"], [owner]
    for name, value in plan.equals.items():
        conditions.append(f"`{name}` = %s")
        values.append(value)
    for operator, value in plan.bounds.items():
        conditions.append(f"{order_by} {OPERATORS[operator]} %s")
        values.append(value)
    index = plan.index.name if plan.index else "PRIMARY"
    table = f"`{plan.resource.collection}` FORCE INDEX (`{index}`)"
    columns = list_columns(plan.resource, f"COALESCE(({SELECT_MOMENT}), '')", fields)
    return f"SELECT id, {columns} FROM {table} WHERE {' AND '.join(conditions)}", values  # noqa: S608  declared names


def _split_into_ranges(
    order_by: str, after: Cursor | None, *, descending: bool
) -> Iterator[tuple[str, list[Any], str]]:
    """Split what follows a cursor into ranges of the index. Yield each one's condition, values and order.

    One condition for all (`f > x OR f = x AND id > y`) is not a single range: the database would read more than one
    page, or sort; and it would read every part of a union. Items without a value come before all others.
    """
    operator, direction = ("<", " DESC") if descending else (">", "")
    by_id = f"id{direction}"
    by_field_and_id = f"{order_by}{direction}, {by_id}" if order_by else by_id
    if after is None:
        yield "", [], by_field_and_id
    elif not order_by:
        yield f" AND id {operator} %s", [after.item_id], by_id
    elif after.value is None:
        yield f" AND {order_by} IS NULL AND id {operator} %s", [after.item_id], by_id
        if not descending:
            yield f" AND {order_by} IS NOT NULL", [], by_field_and_id
    else:
        yield f" AND {order_by} = %s AND id {operator} %s", [after.value, after.item_id], by_id
        yield f" AND {order_by} {operator} %s", [after.value], by_field_and_id
        if descending:
            yield f" AND {order_by} IS NULL", [], by_id


class _EncodedCursor(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    digest: str
    item_id: str
    value: str | None


_decoder = msgspec.json.Decoder(_EncodedCursor)


def encode_cursor(plan: QueryPlan, owner: str, cursor: Cursor) -> str:
    """Encode a cursor as text, with a digest of its content, its plan and its owner."""
    order_by = plan.order_by
    value = None if order_by is None or cursor.value is None else format_value(order_by.type, cursor.value)
    digest = _compute_digest(plan, owner, cursor.item_id, value)
    encoded = msgspec.json.encode(_EncodedCursor(digest, cursor.item_id, value))
    return base64.urlsafe_b64encode(encoded).decode().rstrip("=")


def decode_cursor(plan: QueryPlan, owner: str, text: str) -> Cursor:
    """Decode a cursor. Raises ValueError if it was not encoded for this plan and this owner."""
    encoded = _decoder.decode(base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True))
    if encoded.digest != _compute_digest(plan, owner, encoded.item_id, encoded.value):
        raise ValueError("a cursor of another list")
    if describe_invalid_id(plan.resource, encoded.item_id) or (encoded.value is not None and plan.order_by is None):
        raise ValueError("an invalid cursor")
    if plan.order_by is None or encoded.value is None:
        return Cursor(encoded.item_id)
    return Cursor(encoded.item_id, parse_value(plan.order_by.type, encoded.value))


def _compute_digest(plan: QueryPlan, owner: str, item_id: str, value: str | None) -> str:
    """Compute the digest. It needs no secret: a forged cursor only selects a page of the caller's own items."""
    order_by = plan.order_by.name if plan.order_by else "id"
    filters = [
        sorted((name, str(value)) for name, value in parameters.items()) for parameters in (plan.equals, plan.bounds)
    ]
    content = [plan.resource.collection, owner, order_by, plan.descending, filters, item_id, value]
    return hashlib.blake2b(msgspec.json.encode(content), digest_size=8).hexdigest()
