"""Pages of a selection, each begun where the one before ended."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from sluice.asking import OPERATORS
from sluice.database import Database
from sluice.reading.items import StoredItem, listed, of_row
from sluice.reading.positions import Position
from sluice.reading.selecting import Selection


@dataclass(frozen=True)
class Wanted:
    """Which part of a selection: at most how many items, after which, and with which fields (all, when None)."""

    limit: int
    after: Position | None = None
    fields: Collection[str] | None = None


def page(
    database: Database, selection: Selection, owner: str, wanted: Wanted
) -> tuple[list[StoredItem], Position | None]:
    """Return the items, and where the next page begins, if there is one.

    The index that answers is named in the statement: it has what is asked for in one piece, in order, without what was
    deleted, so that a page costs its own rows and no others. Raises the faults of `sluice.faults`.
    """
    order = f"`{selection.order.name}`" if selection.order else ""
    base, values = _base(selection, owner, wanted, order)
    rows: list[dict[str, Any]] = []
    for condition, more, by in _stretches(order, wanted.after, descending=selection.descending):
        statement = f"{base}{condition} ORDER BY {by} LIMIT %s"
        rows += database.query(statement, (*values, *more, wanted.limit + 1 - len(rows)))
        if len(rows) > wanted.limit:
            break
    found = [of_row(selection.resource, row, wanted.fields) for row in rows[: wanted.limit]]
    if len(rows) <= wanted.limit:
        return found, None
    last = rows[wanted.limit - 1]
    return found, Position(last["id"], last[selection.order.name] if selection.order else None)


def _base(selection: Selection, owner: str, wanted: Wanted, order: str) -> tuple[str, list[Any]]:
    fields = wanted.fields
    if fields is not None and selection.order:
        fields = {*fields, selection.order.name}  # the next position needs its value
    conditions, values = ["owner = %s", "deleted = 0"], [owner]
    for name, value in selection.equals.items():
        conditions.append(f"`{name}` = %s")
        values.append(value)
    for operator, value in selection.bounds.items():
        conditions.append(f"{order} {OPERATORS[operator]} %s")
        values.append(value)
    index = selection.index.name if selection.index else "PRIMARY"
    table = f"`{selection.resource.collection}` FORCE INDEX (`{index}`)"
    columns = listed(selection.resource, fields)
    return f"SELECT {columns} FROM {table} WHERE {' AND '.join(conditions)}", values  # noqa: S608  declared names


def _stretches(order: str, after: Position | None, *, descending: bool) -> Iterator[tuple[str, list[Any], str]]:
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
