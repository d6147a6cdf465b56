"""A list accepts the queries that an index answers, and rejects any other with an explanation."""

import datetime
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from sluice.http.problem import Problem
from sluice.model.columns import ColumnType
from sluice.model.list_parameters import format_value, parse_value
from sluice.model.validation import compile_published_pattern
from sluice.openapi.parameters import list_parameters
from sluice.query.list import Cursor, decode_cursor, encode_cursor
from sluice.query.query_planner import QueryPlan, plan_query
from tests.unit.lists import FIELDS, PLACES, SAMPLES


@pytest.mark.parametrize(
    ("query", "index", "order"),
    [
        ({}, None, None),
        ({"sort": "id"}, None, None),
        ({"sort": "-id"}, None, None),
        ({"count": "1"}, "by-count", None),
        ({"count": "1", "sort": "-id"}, "by-count", None),
        ({"sort": "count"}, "by-count", "count"),
        ({"count.gt": "1"}, "by-count", "count"),
        ({"count.gte": "1", "count.lt": "5", "sort": "-count"}, "by-count", "count"),
        ({"colour": "red", "count": "1"}, "by-colour-count", None),
        ({"colour": "red", "sort": "count"}, "by-colour-count", "count"),
        ({"colour": "red", "count.lte": "1"}, "by-colour-count", "count"),
        ({"done": "true", "colour": "red", "price.gt": "1"}, "by-done-colour-price", "price"),
        ({"limit": "1", "after": "x", "fields": "count"}, None, None),
    ],
    ids=str,
)
def test_an_index_answers(query: dict[str, str], index: str | None, order: str | None) -> None:
    plan = plan_query(SAMPLES, query)
    assert (plan.index.name if plan.index else None, plan.order_by.name if plan.order_by else None) == (
        index,
        order,
    )
    assert plan.descending == query.get("sort", "").startswith("-")


@pytest.mark.parametrize(
    "query",
    [
        {"count": "1", "label": "a"},
        {"count": "1", "sort": "label"},
        {"count": "1", "sort": "colour"},
        {"count": "1", "sort": "count"},
        {"count": "1", "count.gt": "1"},
        {"done": "true", "price": "1"},
        {"done": "true", "sort": "price"},
        {"done": "true", "colour": "red"},
        {"count.gt": "1", "price.gt": "1"},
        {"count.gt": "1", "sort": "id"},
        {"count.gt": "1", "sort": "price"},
        {"count.gt": "1", "count.gte": "1"},
        {"count.lt": "1", "count.lte": "1"},
    ],
    ids=str,
)
def test_no_index_answers(query: dict[str, str]) -> None:
    with pytest.raises(Problem) as error:
        plan_query(SAMPLES, query)
    assert error.value.status == 400


@pytest.mark.parametrize(
    "sort", ["", "-", "story", "nothing", "--id", "+id", "count.gt", "limit", "owner", "deleted", "id,count", "`"]
)
def test_the_order_needs_an_indexed_field(sort: str) -> None:
    with pytest.raises(Problem) as error:
        plan_query(SAMPLES, {"sort": sort})
    assert [fault.field for fault in error.value.faults] == ["sort"]


def test_the_key_is_the_id() -> None:
    assert plan_query(PLACES, {"sort": "-code"}) == plan_query(PLACES, {"sort": "-id"})


GOOD: list[tuple[str, str, Any]] = [
    ("label", "Ωmega' OR 1=1 --\x00 ", "Ωmega' OR 1=1 --\x00 "),
    ("label", "", ""),
    ("count", "-9223372036854775808", -(2**63)),
    ("count", "9223372036854775807", 2**63 - 1),
    ("ratio", "-1.5e-3", -0.0015),
    ("ratio", "1e308", 1e308),
    ("done", "true", 1),
    ("done", "false", 0),
    ("price", "-12.50", Decimal("-12.50")),
    ("price", "1" * 65, Decimal("1" * 65)),
    ("day", "2026-12-24", datetime.date(2026, 12, 24)),
    ("moment", "2026-12-24T09:30:00+01:00", datetime.datetime(2026, 12, 24, 8, 30)),  # noqa: DTZ001  as the driver has it
    ("moment", "2026-12-24T09:30:00.123456Z", datetime.datetime(2026, 12, 24, 9, 30, 0, 123456)),  # noqa: DTZ001
    ("token", "0192F3A4-5B6C-7D8E-9F01-23456789ABCD", "0192f3a4-5b6c-7d8e-9f01-23456789abcd"),
    ("colour", "blue", "blue"),
]
BAD = [
    ("label", "\ud800"),
    *(("count", text) for text in ("", "1.0", "ten", "9223372036854775808", "1" * 5000, "٣", "1_0", " 1", "0x1")),
    *(("ratio", text) for text in ("", "nan", "inf", "-Infinity", "1e309", "1" * 5000, "1_0", ".", "1e")),
    *(("done", text) for text in ("", "1", "True", "yes")),
    *(("price", text) for text in ("", "NaN", "1e5", "1" * 66, "1" * 40 + "." + "1" * 38, "0." + "1" * 39, "1,5")),
    *(("day", text) for text in ("", "2026-02-30", "24.12.2026", "2026-12-24T00:00:00Z", "0000-00-00")),
    *(("moment", text) for text in ("", "2026-12-24", "2026-12-24T09:30:00", "2026-12-24T09:30:00 01:00", "now")),
    ("moment", "0001-01-01T00:00:00+23:00"),
    *(("token", text) for text in ("", "1", "x" * 36, "0192f3a45b6c7d8e9f0123456789ab_d", "{%s}" % ("0" * 32))),
    ("token", "urn:uuid:" + "0" * 32),
]


def get_column_type(field: str) -> ColumnType:
    return next(column.type for column in SAMPLES.columns if column.name == field)


@pytest.mark.parametrize(("field", "text", "value"), GOOD, ids=ascii)
def test_a_value_is_parsed_and_formatted_without_change(field: str, text: str, value: Any) -> None:
    parsed = parse_value(get_column_type(field), text)
    assert (parsed, type(parsed)) == (value, type(value))
    assert parse_value(get_column_type(field), format_value(get_column_type(field), value)) == value


def test_every_type_has_a_parser() -> None:
    assert {field for field, _, _ in GOOD} == set(FIELDS)


@pytest.mark.parametrize(("field", "text"), BAD, ids=lambda text: ascii(text)[:40])
@pytest.mark.parametrize("operator", ["", ".gte"])
def test_an_invalid_value_is_rejected_with_its_name(field: str, text: str, operator: str) -> None:
    with pytest.raises(Problem) as error:
        plan_query(SAMPLES, {field + operator: text})
    assert (error.value.status, [fault.field for fault in error.value.faults]) == (400, [field + operator])
    assert "Expected" in error.value.detail


def test_the_openapi_document_accepts_the_same_decimals() -> None:
    [pattern] = {
        parameter["schema"]["pattern"]
        for parameter in list_parameters(SAMPLES)
        if parameter.get("name", "").startswith("price")
    }
    for rows, fits in ((GOOD, True), (BAD, False)):
        for text in (row[1] for row in rows if row[0] == "price"):
            assert bool(compile_published_pattern(pattern).search(text)) == fits, text


ITEM_ID = "0192f3a4-5b6c-7d8e-9f01-23456789abcd"
QUERY: Mapping[str, str] = {"colour": "red", "count.gt": "1"}


def plan_samples(**parameters: str) -> QueryPlan:
    return plan_query(SAMPLES, {**QUERY, **parameters})


@pytest.mark.parametrize(("field", "text", "value"), [*GOOD, ("count", "", None)], ids=ascii)
def test_a_cursor_is_decoded_to_itself(field: str, text: str, value: Any) -> None:
    plan = plan_query(SAMPLES, {"sort": field})
    encoded = encode_cursor(plan, "ada", Cursor(ITEM_ID, value))
    assert decode_cursor(plan, "ada", encoded) == Cursor(ITEM_ID, value)
    assert set(encoded) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@pytest.mark.parametrize(
    ("plan", "owner"),
    [
        (plan_samples(), "eve"),
        (plan_samples(sort="-count"), "ada"),
        (plan_samples(colour="green"), "ada"),
        (plan_query(SAMPLES, {"colour": "red", "count.gte": "1"}), "ada"),
        (plan_query(SAMPLES, {"colour": "red", "count.gt": "2"}), "ada"),
        (plan_query(SAMPLES, {"sort": "count"}), "ada"),
        (plan_query(SAMPLES, {}), "ada"),
        (plan_query(PLACES, {}), "ada"),
    ],
    ids=str,
)
def test_a_cursor_of_another_list_is_rejected(plan: QueryPlan, owner: str) -> None:
    encoded = encode_cursor(plan_samples(), "ada", Cursor(ITEM_ID, 5))
    with pytest.raises(ValueError, match="a cursor of another list"):
        decode_cursor(plan, owner, encoded)


def test_a_changed_cursor_is_rejected() -> None:
    encoded = encode_cursor(plan_samples(), "ada", Cursor(ITEM_ID, 5))
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for place, letter in enumerate(encoded):
        other = letters[(letters.index(letter) + 16) % 64]
        with pytest.raises(ValueError, match=r".+"):
            decode_cursor(plan_samples(), "ada", encoded[:place] + other + encoded[place + 1 :])
