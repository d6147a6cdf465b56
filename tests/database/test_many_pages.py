"""A million items of one owner: the last page of a list costs no more than the first."""

import pytest

from sluice.model.resource import Item, create_resource
from sluice.query.list import Cursor, encode_cursor
from sluice.query.query_planner import QueryPlan, plan_query
from tests.database.reading_rig import ReadRig
from tests.database.rig import Rig
from tests.database.test_lists import count_rows_read
from tests.database.things import OWNER

MANY, LIMIT, SAME = 1_000_000, 100, 2_000


class Entry(Item):
    """A number, which many entries have."""

    number: int


ENTRIES = create_resource(Entry, "entries", private=True, indexes=["number"])


@pytest.fixture
def many(rig: Rig, reader: ReadRig) -> ReadRig:
    rig.resources = {"entries": ENTRIES}
    rig.make_tables()
    rig.rows(
        "INSERT INTO entries (owner, id, version, written_at, deleted, number) "
        f"SELECT %s, UUID(), %s, UTC_TIMESTAMP(6), 0, seq DIV {SAME} FROM seq_1_to_{MANY}",
        OWNER,
        "01M83TX6AKPEC90XWTBJRZ90MF",
    )
    rig.connection.commit()
    return reader


def position(many: ReadRig, asked: QueryPlan, place: int) -> str:
    """The `after` behind which the item at a place of the order comes."""
    by = "number, id" if asked.order_by else "id"
    [row] = many.rig.rows(f"SELECT id, number FROM entries ORDER BY {by} LIMIT 1 OFFSET {place - 1}")
    return encode_cursor(asked, OWNER, Cursor(row["id"], row["number"] if asked.order_by else None))


def test_the_last_page_costs_no_more_than_the_first(many: ReadRig) -> None:
    for query in ({}, {"sort": "number"}):
        asked = plan_query(ENTRIES, query)
        costs = []
        for place in (0, LIMIT, SAME - LIMIT // 2, MANY // 2, MANY - LIMIT):
            after = position(many, asked, place) if place else ""
            before = count_rows_read(many)
            answer = many.get("entries", {**query, "limit": str(LIMIT), "after": after})
            costs.append(count_rows_read(many) - before)
            assert len(answer.body["items"]) == LIMIT
            assert ("next" in answer.body) == (place < MANY - LIMIT)
        print(f"rows read for {LIMIT} of {MANY:,} items, {query or 'by id'}: {costs}")
        # One more than is shown tells that there are more; another ends those of one number.
        assert max(costs) <= LIMIT + 2
