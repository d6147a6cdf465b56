"""From the parameters of a list to a selection that one index answers, or a problem."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sluice.http.problem import Problem, invalid_field_problem
from sluice.model.columns import Column, Index
from sluice.model.list_parameters import filter_parameter_names, parse_value
from sluice.model.resource import Resource

# How many items a page has, unless the client says otherwise, and at most.
DEFAULT_LIMIT, MAX_LIMIT = 50, 500


_LOWER_BOUNDS, _UPPER_BOUNDS = {"gt", "gte"}, {"lt", "lte"}


@dataclass(frozen=True)
class QueryPlan:
    """What a list is asked for: which items, and in which order.

    `equals` are fields with their values; `bounds` operators with values for the field that orders. `order` is that
    field, None for the id. `index` answers just that; None is the table's own key.
    """

    resource: Resource
    index: Index | None
    equals: Mapping[str, Any]
    bounds: Mapping[str, Any]
    order_by: Column | None
    descending: bool


def plan_query(resource: Resource, query: Mapping[str, str]) -> QueryPlan:
    """Understand the parameters, which are known ones. Raises Problem 400 also where no index would answer."""
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
    sort, descending = _parse_sort(resource, query.get("sort"))
    order, bounds = _choose_order(ranges, sort)
    index = _choose_index(resource, set(equals), order)
    return QueryPlan(resource, index, equals, bounds, columns.get(order), descending)


def _choose_order(ranges: Mapping[str, Mapping[str, Any]], sort: str) -> tuple[str, Mapping[str, Any]]:
    """The field that orders, `id` where none does, and its bounds. A range is in the order of its field."""
    if not ranges:
        return sort or "id", {}
    if len({*ranges, sort or next(iter(ranges))}) > 1:
        raise Problem(400, "A range is of one field, and what it selects is in the order of that field.")
    [(field, bounds)] = ranges.items()
    if bounds.keys() >= _LOWER_BOUNDS or bounds.keys() >= _UPPER_BOUNDS:
        raise Problem(400, f"A range of {field} has at most one beginning and one end.")
    return field, bounds


def _parse_sort(resource: Resource, text: str | None) -> tuple[str, bool]:
    """The field that orders (`id` for the key, empty when none is named), and whether it begins with the last."""
    if text is None:
        return "", False
    field, descending = text.removeprefix("-"), text.startswith("-")
    if field in ("id", resource.key):
        return "id", descending
    if field not in filter_parameter_names(resource) or "." in field:
        raise invalid_field_problem(
            "sort", "Expected id or an indexed field, with a - before it for the opposite order", 400
        )
    return field, descending


def _choose_index(resource: Resource, equals: set[str], order: str) -> Index | None:
    last = () if order == "id" else (order,)
    if not equals and not last:
        return None
    for index in resource.indexes:
        split = len(index.fields) - len(last)
        if set(index.fields[:split]) == equals and index.fields[split:] == last:
            return index
    there = "; ".join(", ".join(index.fields) for index in resource.indexes)
    raise Problem(
        400,
        "No index answers this. There are indexes by: "
        f"{there}. All fields of one are given a value, or the last one orders or has a range.",
    )
