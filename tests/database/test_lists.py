"""Lists of real tables: a query by an index returns exactly its items, in order and in pages, and no other is read."""

import datetime
import random
import uuid
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import pytest

from sluice.model.record import Write
from tests.database.reading_rig import ReadRig
from tests.database.rig import Rig
from tests.database.things import OWNER, delete, put
from tests.unit.lists import FIELDS, PLACES, SAMPLES
from tests.unit.requesting import Answer

OTHER = "another-owner"
CHANCE = random.Random(7)
# Few values for each field, so that many items share a value. Some are None, some are unusual.
VALUES: dict[str, list[Any]] = {
    "label": ["", "a", "a ", "A", "ä", "b' OR 1=1 --", "\U0001f600", "\\", "%"],
    "count": [None, -(2**63), -1, 0, 7, 2**63 - 1],
    "ratio": [None, -1.5, 0.0, 5e-324, 0.1, 0.2, 1e300],
    "done": [None, False, True],
    "price": [None, Decimal("-0.001"), Decimal(0), Decimal("0.1"), Decimal("999999999.999")],
    "day": [None, datetime.date(1, 1, 1), datetime.date(2026, 12, 24), datetime.date(9999, 12, 31)],
    "moment": [
        None,
        datetime.datetime(2026, 12, 24, 9, 30, tzinfo=datetime.UTC),
        datetime.datetime(2026, 12, 24, 9, 30, 0, 1, tzinfo=datetime.UTC),
        datetime.datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=datetime.UTC),
    ],
    "token": [None, uuid.UUID(int=1), uuid.UUID("0192f3a4-5b6c-7d8e-9f01-23456789abcd")],
    "colour": [None, "red", "green"],
}
Data = Mapping[str, Any]


def create_samples(count: int, owner: str = OWNER) -> list[Write]:
    return [
        put({name: CHANCE.choice(values) for name, values in VALUES.items()}, owner=owner, resource=SAMPLES)
        for _ in range(count)
    ]


def load_samples(rig: Rig) -> None:
    """Load 150 items of one owner, 50 of another, and 30 deleted ones."""
    rig.resources = {"samples": SAMPLES, "places": PLACES}
    rig.make_tables()
    mine = create_samples(180)
    rig.load(*mine, *create_samples(50, OTHER))
    rig.load(*(delete(write.id, resource=SAMPLES) for write in mine[::6]))


@pytest.fixture(scope="module")
def lists(shared_reader: ReadRig) -> ReadRig:
    """Lists for tests that change nothing."""
    load_samples(shared_reader.rig)
    return shared_reader


@pytest.fixture
def own_lists(reader: ReadRig) -> ReadRig:
    load_samples(reader.rig)
    return reader


def get_list(reader: ReadRig, query: Mapping[str, str], owner: str = OWNER) -> Answer:
    answer = reader.get("samples", query, owner=owner)
    assert answer.status == 200, answer.body
    return answer


def iterate_pages(reader: ReadRig, query: Mapping[str, str], owner: str = OWNER) -> Iterator[list[Any]]:
    """Yield the items of each page. The link of a page leads to the next one."""
    sent = dict(query)
    while True:
        answer = get_list(reader, sent, owner)
        yield answer.body["items"]
        if "Link" not in answer.headers:
            assert "next" not in answer.body
            return
        address, _, relation = answer.headers["Link"].partition("; ")
        assert (address[:2], address[-1], relation) == ("<?", ">", 'rel="next"')
        previous, sent = sent, dict(parse_qsl(address[2:-1], keep_blank_values=True))
        assert sent != previous, "the same page again"
        assert sent == {**query, "limit": query["limit"], "after": answer.body["next"]}


def collect_items(reader: ReadRig, query: Mapping[str, str]) -> list[Any]:
    """Collect the items of all pages."""
    return [item for page in iterate_pages(reader, query) for item in page]


def get_all_items(reader: ReadRig, owner: str = OWNER) -> dict[str, Data]:
    return {item["id"]: item["data"] for item in get_list(reader, {"limit": "500"}, owner).body["items"]}


def format_in_query(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case datetime.datetime():
            return value.isoformat()
    return str(value)


def format_in_data(value: Any) -> Any:
    match value:
        case datetime.datetime():
            return value.isoformat().replace("+00:00", "Z")
        case Decimal():
            return f"{value:.3f}"
        case datetime.date() | uuid.UUID():
            return str(value)
    return value


def test_a_list_has_the_items_of_the_owner_without_deleted_ones(lists: ReadRig) -> None:
    assert (len(get_all_items(lists)), len(get_all_items(lists, OTHER))) == (150, 50)
    assert not get_all_items(lists).keys() & get_all_items(lists, OTHER).keys()
    assert get_all_items(lists, "nobody") == {}


@pytest.mark.parametrize("sort", ["id", "-id"])
def test_all_items_page_by_page(lists: ReadRig, sort: str) -> None:
    ids = [item["id"] for item in collect_items(lists, {"limit": "7", "sort": sort})]
    assert ids == [item["id"] for item in get_list(lists, {"limit": "500", "sort": sort}).body["items"]]
    assert ids == list(get_all_items(lists))[:: -1 if sort == "-id" else 1]


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("limit", ["1", "7", "150"])
def test_items_without_a_value_come_first_in_the_order_of_a_field(lists: ReadRig, field: str, limit: str) -> None:
    items = collect_items(lists, {"limit": limit, "sort": field})
    assert len(items) == 150
    assert {item["id"]: item["data"] for item in items} == get_all_items(lists)
    backwards = [item["id"] for item in collect_items(lists, {"limit": limit, "sort": f"-{field}"})]
    assert backwards == [item["id"] for item in items][::-1]
    ranks = [format_in_data(value) for value in VALUES[field]]
    places = [ranks.index(item["data"][field]) for item in items]
    if field not in ("label", "token", "colour"):
        assert places == sorted(places)
    else:
        # In the database's own order; equal values are adjacent.
        assert len([place for place, before in zip(places, [-1, *places], strict=False) if place != before]) == len(
            ranks
        )
        assert None not in ranks or places[0] == ranks.index(None)


@pytest.mark.parametrize("field", FIELDS)
def test_with_a_value_of_a_field(lists: ReadRig, field: str) -> None:
    for value in VALUES[field]:
        if value is not None:
            items = [
                item for page in iterate_pages(lists, {"limit": "4", field: format_in_query(value)}) for item in page
            ]
            expected = {key: data for key, data in get_all_items(lists).items() if data[field] == format_in_data(value)}
            assert expected
            assert {item["id"]: item["data"] for item in items} == expected
            assert [item["id"] for item in items] == list(expected)


@pytest.mark.parametrize("field", ["count", "ratio", "done", "price", "day", "moment"])
@pytest.mark.parametrize("direction", ["", "-"])
def test_in_a_range_of_a_field(lists: ReadRig, field: str, direction: str) -> None:
    there = get_all_items(lists)
    ranks = [format_in_data(value) for value in VALUES[field]]
    for lower, upper in (("gt", "lt"), ("gte", "lte"), ("gt", "lte"), ("gte", "lt")):
        for low, high in ((1, len(ranks) - 1), (2, 2), (len(ranks) - 1, 1)):
            bounds = {
                f"{field}.{lower}": format_in_query(VALUES[field][low]),
                f"{field}.{upper}": format_in_query(VALUES[field][high]),
            }
            query = {"limit": "9", "sort": direction + field, **bounds}
            items = collect_items(lists, query)
            first, last = low + (lower == "gt"), high - (upper == "lt")
            expected = {
                key
                for key, data in there.items()
                if first <= ranks.index(data[field]) <= last and data[field] is not None
            }
            assert {item["id"] for item in items} == expected
            assert len(items) == len(expected)


def test_an_index_of_several_fields(lists: ReadRig) -> None:
    there = get_all_items(lists)
    for colour in ("red", "green"):
        query = {"limit": "5", "colour": colour, "sort": "-count"}
        items = collect_items(lists, query)
        assert {item["id"] for item in items} == {key for key, data in there.items() if data["colour"] == colour}
        counts = [-(2**64) if item["data"]["count"] is None else item["data"]["count"] for item in items]
        assert counts == sorted(counts, reverse=True)
    query = {"limit": "5", "done": "true", "colour": "red", "price.gte": "0"}
    assert {item["id"] for page in iterate_pages(lists, query) for item in page} == {
        key
        for key, data in there.items()
        if data["done"] is True
        and data["colour"] == "red"
        and data["price"] is not None
        and Decimal(data["price"]) >= 0
    }


def test_fields_are_chosen(own_lists: ReadRig) -> None:
    complete = get_all_items(own_lists)
    for page in iterate_pages(own_lists, {"limit": "60", "sort": "moment", "fields": "count,story,count"}):
        for item in page:
            assert item.keys() == {"id", "version", "written_at", "data"}
            assert item["data"] == {"count": complete[item["id"]]["count"], "story": ""}
    own_lists.rig.load(put({"code": "A", "country": "DE"}, "A", resource=PLACES))
    assert own_lists.get("places", {"fields": "code"}).body["items"][0]["data"] == {"code": "A"}
    assert own_lists.get("places", {"fields": "country"}).body["items"][0]["data"] == {"country": "DE"}


@pytest.mark.parametrize("fields", ["", "nothing", "count,", "id", "owner", "deleted", "count;story", "`count`", "*"])
def test_fields_are_those_of_the_resource(lists: ReadRig, fields: str) -> None:
    answer = lists.get("samples", {"fields": fields})
    assert (answer.status, answer.fields) == (400, ["fields"])


@pytest.mark.parametrize(
    "name", ["story", "nothing", "count.eq", "count.", ".gt", "story.gt", "sort.gt", "id", "owner", "COUNT", "`"]
)
def test_a_parameter_without_an_index_is_rejected(lists: ReadRig, name: str) -> None:
    answer = lists.get("samples", {name: "1"})
    assert (answer.status, answer.fields) == (400, [name])


def test_a_cursor_of_another_owner_or_query_is_rejected(lists: ReadRig) -> None:
    query = {"limit": "3", "colour": "red"}
    after = get_list(lists, query).body["next"]
    assert lists.get("samples", {**query, "after": after, "limit": "50", "fields": "count"}).status == 200
    for other in ({"colour": "green"}, {"sort": "-id"}, {"count.gt": "1"}):
        assert lists.get("samples", {**query, **other, "after": after}).fields == ["after"]
    assert lists.get("samples", {**query, "after": after}, owner=OTHER).fields == ["after"]


def test_pages_stay_in_order_while_items_are_added_and_deleted(own_lists: ReadRig) -> None:
    before = get_all_items(own_lists)
    remaining = iterate_pages(own_lists, {"limit": "10", "sort": "count"})
    seen = next(remaining)
    deleted = [key for key in before if key not in {item["id"] for item in seen}][:5]
    own_lists.rig.load(*(delete(key, resource=SAMPLES) for key in deleted), *create_samples(20))
    seen += [item for page in remaining for item in page]
    ids = [item["id"] for item in seen]
    assert len(ids) == len(set(ids))
    assert set(before) - set(deleted) <= set(ids)


QUERIES = [
    {},
    {"sort": "-id"},
    {"sort": "count"},
    {"sort": "-count"},
    {"sort": "moment"},
    {"sort": "-colour"},
    {"colour": "red"},
    {"colour": "red", "sort": "-id"},
    {"colour": "red", "sort": "-count"},
    {"colour": "red", "count.gte": "0"},
    {"label": "a"},
    {"ratio.gt": "0", "sort": "-ratio"},
    {"done": "true", "colour": "green", "sort": "price"},
]


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_a_page_reads_its_own_rows_and_no_others(own_lists: ReadRig, query: dict[str, str]) -> None:
    writes = create_samples(3000)
    own_lists.rig.load(*writes, *create_samples(300, OTHER))
    # So many deleted items that reading them would show. In the order of ids, a page does read deleted items.
    own_lists.rig.load(
        *(
            delete(write.id, resource=SAMPLES)
            for write in (writes[::3] if "sort" in query and query["sort"][-2:] != "id" else [])
        )
    )
    own_lists.rig.rows("ANALYZE TABLE samples")
    limit = 20
    costs = []
    before = count_rows_read(own_lists)
    for _ in iterate_pages(own_lists, {**query, "limit": str(limit)}):
        after = count_rows_read(own_lists)
        costs.append(after - before)
        before = after
    assert len(costs) > 5
    moments = 5  # one in each statement, and two in one that confirms that a range has no rows
    assert max(costs) <= limit + 5 + moments + (30 if query in ({}, {"sort": "-id"}) else 0), costs


def count_rows_read(reader: ReadRig) -> int:
    """Count the rows and index entries that this session has read. The count itself reads no table on disk."""
    with reader.replica.get_connection().cursor() as cursor:
        cursor.execute("SHOW SESSION STATUS LIKE 'Handler_read%'")
        read = {name: int(value) for name, value in cursor.fetchall()}
    return sum(value for name, value in read.items() if not name.startswith("Handler_read_rnd"))


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_no_query_needs_a_scan_or_a_sort(
    lists: ReadRig, query: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    queries: list[tuple[str, Any]] = []
    statement = lists.replica.query

    def record_query(sql: str, values: tuple[Any, ...], **options: Any) -> list[dict[str, Any]]:
        queries.append((sql, values))
        return statement(sql, values, **options)

    monkeypatch.setattr(lists.replica, "query", record_query)
    for _ in iterate_pages(lists, {**query, "limit": "3"}):
        pass
    assert len(queries) > 1
    for sql, values in queries:
        if "FORCE INDEX" not in sql:
            continue  # the moment of a page without rows
        plan = statement(f"EXPLAIN {sql}", values)[0]  # the second row is that of the moment
        if plan["table"]:  # else the optimizer knows that there are no rows
            assert plan["type"] in ("ref", "range"), plan
            assert plan["key"] == plan["possible_keys"]
            assert plan["key"] == "PRIMARY" or plan["key"].startswith("by-")
            assert not {"filesort", "temporary"} & set(plan["Extra"].split()), plan


def test_before_the_migration_creates_an_index_its_query_is_a_503(own_lists: ReadRig) -> None:
    own_lists.rig.rows("ALTER TABLE samples DROP INDEX `by-label`")
    answer = own_lists.get("samples", {"label": "a"})
    assert (answer.status, "Retry-After" in answer.headers) == (503, True)
    assert get_list(own_lists, {}).body["items"]
