"""Lists of real tables: each question by each index gives just its items, in order, page by page, and costs no more."""

import datetime
import random
import uuid
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import pytest

from sluice.model.record import Write
from tests.database.reading_rig import Reader
from tests.database.rig import Rig
from tests.database.things import OWNER, delete, put
from tests.unit.lists import FIELDS, PLACES, SAMPLES
from tests.unit.requesting import Answer

OTHER = "another-owner"
CHANCE = random.Random(7)
# Few of each, so that many items have the same; some of them None, and some awkward in one way or another.
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


def samples(many: int, owner: str = OWNER) -> list[Write]:
    return [
        put({name: CHANCE.choice(values) for name, values in VALUES.items()}, owner=owner, resource=SAMPLES)
        for _ in range(many)
    ]


def fill(rig: Rig) -> None:
    """150 items of one owner, 50 of another, and 30 that were deleted."""
    rig.resources = {one.collection: one for one in (SAMPLES, PLACES)}
    rig.make_tables()
    mine = samples(180)
    rig.load(*mine, *samples(50, OTHER))
    rig.load(*(delete(one.id, resource=SAMPLES) for one in mine[::6]))


@pytest.fixture(scope="module")
def lists(kept_reader: Reader) -> Reader:
    """For tests that change nothing."""
    fill(kept_reader.rig)
    return kept_reader


@pytest.fixture
def own_lists(reader: Reader) -> Reader:
    fill(reader.rig)
    return reader


def ask(reader: Reader, query: Mapping[str, str], owner: str = OWNER) -> Answer:
    answer = reader.get("samples", query, owner=owner)
    assert answer.status == 200, answer.body
    return answer


def pages(reader: Reader, query: Mapping[str, str], owner: str = OWNER) -> Iterator[list[Any]]:
    """The items page by page, each page's address as the link of the one before says it."""
    asked = dict(query)
    while True:
        answer = ask(reader, asked, owner)
        yield answer.body["items"]
        if "Link" not in answer.headers:
            assert "next" not in answer.body
            return
        address, _, relation = answer.headers["Link"].partition("; ")
        assert (address[:2], address[-1], relation) == ("<?", ">", 'rel="next"')
        before, asked = asked, dict(parse_qsl(address[2:-1], keep_blank_values=True))
        assert asked != before, "the same page again"
        assert asked == {**query, "limit": query["limit"], "after": answer.body["next"]}


def everything(reader: Reader, owner: str = OWNER) -> dict[str, Data]:
    return {item["id"]: item["data"] for item in ask(reader, {"limit": "500"}, owner).body["items"]}


def in_query(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case datetime.datetime():
            return value.isoformat()
    return str(value)


def in_data(value: Any) -> Any:
    match value:
        case datetime.datetime():
            return value.isoformat().replace("+00:00", "Z")
        case Decimal():
            return f"{value:.3f}"
        case datetime.date() | uuid.UUID():
            return str(value)
    return value


def test_there_are_those_of_the_owner_that_were_not_deleted(lists: Reader) -> None:
    assert (len(everything(lists)), len(everything(lists, OTHER))) == (150, 50)
    assert not everything(lists).keys() & everything(lists, OTHER).keys()
    assert everything(lists, "nobody") == {}


@pytest.mark.parametrize("sort", ["id", "-id"])
def test_all_items_page_by_page(lists: Reader, sort: str) -> None:
    found = [item["id"] for page in pages(lists, {"limit": "7", "sort": sort}) for item in page]
    assert found == [item["id"] for item in ask(lists, {"limit": "500", "sort": sort}).body["items"]]
    assert found == list(everything(lists))[:: -1 if sort == "-id" else 1]


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("limit", ["1", "7", "150"])
def test_in_the_order_of_a_field_with_those_first_that_have_none(lists: Reader, field: str, limit: str) -> None:
    found = [item for page in pages(lists, {"limit": limit, "sort": field}) for item in page]
    assert len(found) == 150
    assert {item["id"]: item["data"] for item in found} == everything(lists)
    backwards = [item["id"] for page in pages(lists, {"limit": limit, "sort": f"-{field}"}) for item in page]
    assert backwards == [item["id"] for item in found][::-1]
    ranks = [in_data(value) for value in VALUES[field]]
    places = [ranks.index(item["data"][field]) for item in found]
    if field not in ("label", "token", "colour"):
        assert places == sorted(places)
    else:
        # In the database's own order; what is the same stands together.
        assert len([place for place, before in zip(places, [-1, *places], strict=False) if place != before]) == len(
            ranks
        )
        assert None not in ranks or places[0] == ranks.index(None)


@pytest.mark.parametrize("field", FIELDS)
def test_with_a_value_of_a_field(lists: Reader, field: str) -> None:
    for value in VALUES[field]:
        if value is not None:
            found = [item for page in pages(lists, {"limit": "4", field: in_query(value)}) for item in page]
            expected = {key: data for key, data in everything(lists).items() if data[field] == in_data(value)}
            assert expected
            assert {item["id"]: item["data"] for item in found} == expected
            assert [item["id"] for item in found] == list(expected)


@pytest.mark.parametrize("field", ["count", "ratio", "done", "price", "day", "moment"])
@pytest.mark.parametrize("direction", ["", "-"])
def test_in_a_range_of_a_field(lists: Reader, field: str, direction: str) -> None:
    there = everything(lists)
    ranks = [in_data(value) for value in VALUES[field]]
    for lower, upper in (("gt", "lt"), ("gte", "lte"), ("gt", "lte"), ("gte", "lt")):
        for low, high in ((1, len(ranks) - 1), (2, 2), (len(ranks) - 1, 1)):
            bounds = {
                f"{field}.{lower}": in_query(VALUES[field][low]),
                f"{field}.{upper}": in_query(VALUES[field][high]),
            }
            query = {"limit": "9", "sort": direction + field, **bounds}
            found = [item for page in pages(lists, query) for item in page]
            first, last = low + (lower == "gt"), high - (upper == "lt")
            expected = {
                key
                for key, data in there.items()
                if first <= ranks.index(data[field]) <= last and data[field] is not None
            }
            assert {item["id"] for item in found} == expected
            assert len(found) == len(expected)


def test_an_index_of_several_fields(lists: Reader) -> None:
    there = everything(lists)
    for colour in ("red", "green"):
        query = {"limit": "5", "colour": colour, "sort": "-count"}
        found = [item for page in pages(lists, query) for item in page]
        assert {item["id"] for item in found} == {key for key, data in there.items() if data["colour"] == colour}
        counts = [-(2**64) if item["data"]["count"] is None else item["data"]["count"] for item in found]
        assert counts == sorted(counts, reverse=True)
    query = {"limit": "5", "done": "true", "colour": "red", "price.gte": "0"}
    assert {item["id"] for page in pages(lists, query) for item in page} == {
        key
        for key, data in there.items()
        if data["done"] is True
        and data["colour"] == "red"
        and data["price"] is not None
        and Decimal(data["price"]) >= 0
    }


def test_fields_are_chosen(own_lists: Reader) -> None:
    whole = everything(own_lists)
    for page in pages(own_lists, {"limit": "60", "sort": "moment", "fields": "count,story,count"}):
        for item in page:
            assert item.keys() == {"id", "version", "written_at", "data"}
            assert item["data"] == {"count": whole[item["id"]]["count"], "story": ""}
    own_lists.rig.load(put({"code": "A", "country": "DE"}, "A", resource=PLACES))
    assert own_lists.get("places", {"fields": "code"}).body["items"][0]["data"] == {"code": "A"}
    assert own_lists.get("places", {"fields": "country"}).body["items"][0]["data"] == {"country": "DE"}


@pytest.mark.parametrize("fields", ["", "nothing", "count,", "id", "owner", "deleted", "count;story", "`count`", "*"])
def test_fields_are_those_of_the_resource(lists: Reader, fields: str) -> None:
    answer = lists.get("samples", {"fields": fields})
    assert (answer.status, answer.fields) == (400, ["fields"])


@pytest.mark.parametrize(
    "name", ["story", "nothing", "count.eq", "count.", ".gt", "story.gt", "sort.gt", "id", "owner", "COUNT", "`"]
)
def test_what_no_index_holds_cannot_be_asked(lists: Reader, name: str) -> None:
    answer = lists.get("samples", {name: "1"})
    assert (answer.status, answer.fields) == (400, [name])


def test_a_page_of_another_owner_or_question_does_not_begin_in_mine(lists: Reader) -> None:
    query = {"limit": "3", "colour": "red"}
    after = ask(lists, query).body["next"]
    assert lists.get("samples", {**query, "after": after, "limit": "50", "fields": "count"}).status == 200
    for other in ({"colour": "green"}, {"sort": "-id"}, {"count.gt": "1"}):
        assert lists.get("samples", {**query, **other, "after": after}).fields == ["after"]
    assert lists.get("samples", {**query, "after": after}, owner=OTHER).fields == ["after"]


def test_pages_stay_in_order_while_items_come_change_and_go(own_lists: Reader) -> None:
    before = everything(own_lists)
    asked = pages(own_lists, {"limit": "10", "sort": "count"})
    seen = next(asked)
    gone = [key for key in before if key not in {item["id"] for item in seen}][:5]
    own_lists.rig.load(*(delete(key, resource=SAMPLES) for key in gone), *samples(20))
    seen += [item for page in asked for item in page]
    ids = [item["id"] for item in seen]
    assert len(ids) == len(set(ids))
    assert set(before) - set(gone) <= set(ids)


QUESTIONS = [
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


@pytest.mark.parametrize("query", QUESTIONS, ids=str)
def test_every_page_costs_its_own_rows_and_no_others(own_lists: Reader, query: dict[str, str]) -> None:
    many = samples(3000)
    own_lists.rig.load(*many, *samples(300, OTHER))
    # So many deleted ones that to read over them would show, but not where items are in the order of their ids.
    own_lists.rig.load(
        *(
            delete(one.id, resource=SAMPLES)
            for one in (many[::3] if "sort" in query and query["sort"][-2:] != "id" else [])
        )
    )
    own_lists.rig.rows("ANALYZE TABLE samples")
    limit = 20
    costs = []
    before = rows_read(own_lists)
    for _ in pages(own_lists, {**query, "limit": str(limit)}):
        after = rows_read(own_lists)
        costs.append(after - before)
        before = after
    assert len(costs) > 5
    assert max(costs) <= limit + 5 + (30 if query in ({}, {"sort": "-id"}) else 0), costs


def rows_read(reader: Reader) -> int:
    """How many rows, or entries of an index, this session has read so far. To ask reads none of a table on a disk."""
    with reader.replica.get_connection().cursor() as cursor:
        cursor.execute("SHOW SESSION STATUS LIKE 'Handler_read%'")
        read = {name: int(value) for name, value in cursor.fetchall()}
    return sum(value for name, value in read.items() if not name.startswith("Handler_read_rnd"))


@pytest.mark.parametrize("query", QUESTIONS, ids=str)
def test_no_question_is_answered_by_a_scan_or_a_sort(
    lists: Reader, query: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, Any]] = []
    statement = lists.replica.query

    def explain(sql: str, values: tuple[Any, ...]) -> list[dict[str, Any]]:
        asked.append((sql, values))
        return statement(sql, values)

    monkeypatch.setattr(lists.replica, "query", explain)
    for _ in pages(lists, {**query, "limit": "3"}):
        pass
    assert len(asked) > 1
    for sql, values in asked:
        [plan] = statement(f"EXPLAIN {sql}", values)
        if plan["table"]:  # else it knows that there is nothing
            assert plan["type"] in ("ref", "range"), plan
            assert plan["key"] == plan["possible_keys"]
            assert plan["key"] == "PRIMARY" or plan["key"].startswith("by-")
            assert not {"filesort", "temporary"} & set(plan["Extra"].split()), plan


def test_before_the_migration_has_made_an_index_there_is_no_answer(own_lists: Reader) -> None:
    own_lists.rig.rows("ALTER TABLE samples DROP INDEX `by-label`")
    answer = own_lists.get("samples", {"label": "a"})
    assert (answer.status, "Retry-After" in answer.headers) == (503, True)
    assert ask(own_lists, {}).body["items"]
