"""Plan a list query: from its parameters to one index that answers it, or to a problem."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sluice.http.problem import Problem, invalid_field_problem
from sluice.model.columns import Column, Index
from sluice.model.list_parameters import filter_parameter_names, parse_value
from sluice.model.resource import Resource

# Items on a page.
DEFAULT_LIMIT, MAX_LIMIT = 50, 500

_LOWER_BOUNDS, _UPPER_BOUNDS = {"gt", "gte"}, {"lt", "lte"}


@dataclass(frozen=True)
class QueryPlan:
    """Which items a list contains, and in which order.

    `equals` maps fields to values. `bounds` maps operators to values of the field that orders the list. `order_by` is
    the column of that field (None: the id). `index` is the index to read (None: the primary key).
    """

    resource: Resource
    index: Index | None
    equals: Mapping[str, Any]
    bounds: Mapping[str, Any]
    order_by: Column | None
    descending: bool


def plan_query(resource: Resource, query: Mapping[str, str]) -> QueryPlan:
    """Plan a list from its query parameters, whose names are known to be valid.

    Raises Problem 400 if a value is invalid or no index answers the query.
    """
    columns = {column.name: column for column in resource.columns}
    equals: dict[str, Any] = {}
    ranges: dict[str, dict[str, Any]] = {}
    for name in sorted(set(query) & filter_parameter_names(resource)):
        field, _, operator = name.partition(".")
        try:
            value = parse_value(columns[field].type, query[name])
        except ValueError as error:
            raise invalid_field_problem(name, str(error), 400) from None
        if operator:
            ranges.setdefault(field, {})[operator] = value
        else:
            equals[field] = value
    sort_field, descending = _parse_sort(resource, query.get("sort"))
    order_by, bounds = _choose_order(ranges, sort_field)
    index = _choose_index(resource, set(equals), order_by)
    return QueryPlan(resource, index, equals, bounds, columns.get(order_by), descending)


def _choose_order(ranges: Mapping[str, Mapping[str, Any]], sort_field: str) -> tuple[str, Mapping[str, Any]]:
    """Return the field that orders the list (default: `id`) and its bounds. A range is in the order of its field."""
    if not ranges:
        return sort_field or "id", {}
    if len({*ranges, sort_field or next(iter(ranges))}) > 1:
        raise Problem(400, "Only one field can have a range, and the list must be sorted by that field.")
    [(field, bounds)] = ranges.items()
    if bounds.keys() >= _LOWER_BOUNDS or bounds.keys() >= _UPPER_BOUNDS:
        raise Problem(400, f"A range of {field} has at most one lower and one upper bound.")
    return field, bounds


def _parse_sort(resource: Resource, text: str | None) -> tuple[str, bool]:
    """Return the sort field (`id` for the key, empty if there is no parameter) and whether the order descends."""
    if text is None:
        return "", False
    field, descending = text.removeprefix("-"), text.startswith("-")
    if field in ("id", resource.key):
        return "id", descending
    if field not in filter_parameter_names(resource) or "." in field:
        raise invalid_field_problem("sort", "Expected id or an indexed field, with a - before it to reverse it", 400)
    return field, descending


def _choose_index(resource: Resource, equals: set[str], order_by: str) -> Index | None:
    last_fields = () if order_by == "id" else (order_by,)
    if not equals and not last_fields:
        return None
    for index in resource.indexes:
        split = len(index.fields) - len(last_fields)
        if set(index.fields[:split]) == equals and index.fields[split:] == last_fields:
            return index
    available = "; ".join(", ".join(index.fields) for index in resource.indexes)
    raise Problem(
        400,
        f"No index answers this query. The indexes are by: {available}. "
        "Give every field of an index a value, or use the last one to sort or for a range.",
    )
