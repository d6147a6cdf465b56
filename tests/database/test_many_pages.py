"""A million items of one owner: the last page of a list reads no more rows than the first."""

import pytest

from sluice.model.resource import Item, create_resource
from sluice.query.list import Cursor, encode_cursor
from sluice.query.query_planner import QueryPlan, plan_query
from tests.database.reading_rig import ReadRig
from tests.database.rig import Rig
from tests.database.test_lists import count_rows_read
from tests.database.things import OWNER

ITEM_COUNT, LIMIT, ITEMS_PER_NUMBER = 1_000_000, 100, 2_000
# What the statement for the moment reads.
MOMENT_ROWS = 4


class Entry(Item):
    """An entry with a number that many entries share."""

    number: int


ENTRIES = create_resource(Entry, "entries", private=True, indexes=["number"])


@pytest.fixture
def large_list(rig: Rig, reader: ReadRig) -> ReadRig:
    rig.resources = {"entries": ENTRIES}
    rig.make_tables()
    rig.rows(
        "INSERT INTO entries (owner, id, version, written_at, deleted, number) "
        f"SELECT %s, UUID(), %s, UTC_TIMESTAMP(6), 0, seq DIV {ITEMS_PER_NUMBER} FROM seq_1_to_{ITEM_COUNT}",
        OWNER,
        "01M83TX6AKPEC90XWTBJRZ90MF",
    )
    rig.connection.commit()
    return reader


def create_cursor(large_list: ReadRig, plan: QueryPlan, offset: int) -> str:
    """Create the cursor after which the page at this offset begins."""
    order = "number, id" if plan.order_by else "id"
    [row] = large_list.rig.rows(f"SELECT id, number FROM entries ORDER BY {order} LIMIT 1 OFFSET {offset - 1}")
    return encode_cursor(plan, OWNER, Cursor(row["id"], row["number"] if plan.order_by else None))


@pytest.mark.slow
def test_the_last_page_reads_no_more_rows_than_the_first(large_list: ReadRig) -> None:
    for query in ({}, {"sort": "number"}):
        plan = plan_query(ENTRIES, query)
        costs = []
        for offset in (0, LIMIT, ITEMS_PER_NUMBER - LIMIT // 2, ITEM_COUNT // 2, ITEM_COUNT - LIMIT):
            after = create_cursor(large_list, plan, offset) if offset else ""
            before = count_rows_read(large_list)
            answer = large_list.get("entries", {**query, "limit": str(LIMIT), "after": after})
            costs.append(count_rows_read(large_list) - before)
            assert len(answer.body["items"]) == LIMIT
            assert ("next" in answer.body) == (offset < ITEM_COUNT - LIMIT)
        print(f"rows read for {LIMIT} of {ITEM_COUNT:,} items, {query or 'by id'}: {costs}")
        # A page reads one more row to know that there are more, and one that ends the range of a number. Every few
        # seconds, a read also asks for the moment that it includes.
        assert max(costs) <= LIMIT + 2 + MOMENT_ROWS
