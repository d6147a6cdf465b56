"""The table can store every accepted value: the limits that a column sets, for each type."""

import datetime
import json
import re
from decimal import Decimal
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta

from sluice.http.problem import Problem
from sluice.ingest.item_body import decode_item
from sluice.model import columns
from sluice.model.columns import derive_column_type
from sluice.model.resource import Digits, create_resource
from tests.unit.classes import create_item_class


def decode_field(annotation: Any, value: object) -> Any:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    things = create_resource(create_item_class(("field", annotation)), "things")
    return msgspec.structs.asdict(decode_item(b'{"field": ' + text + b"}", things))["field"]


def get_rejection(annotation: Any, value: object) -> str:
    with pytest.raises(Problem) as problem:
        decode_field(annotation, value)
    assert problem.value.status == 422
    assert [fault.field for fault in problem.value.faults] == ["field"]
    return problem.value.detail


@pytest.mark.parametrize(
    "annotation", [int, int | None, Annotated[int, Meta(multiple_of=1)], Annotated[int, Meta(ge=0)]]
)
def test_an_integer_has_64_bits(annotation: Any) -> None:
    assert decode_field(annotation, 2**63 - 1) == 2**63 - 1
    get_rejection(annotation, 2**63)
    get_rejection(annotation, 10**400)


@pytest.mark.parametrize("annotation", [int, Annotated[int, Meta(lt=5)]])
def test_a_negative_integer_has_64_bits(annotation: Any) -> None:
    assert decode_field(annotation, -(2**63)) == -(2**63)
    get_rejection(annotation, -(2**63) - 1)


def test_the_limits_of_the_class_still_apply() -> None:
    get_rejection(Annotated[int, Meta(ge=0)], -1)
    get_rejection(Annotated[int, Meta(gt=0, lt=5)], 5)
    get_rejection(Annotated[str, Meta(max_length=3)] | None, "four")


@pytest.mark.parametrize(
    "annotation", [datetime.datetime, datetime.datetime | None, Annotated[datetime.datetime, Meta(tz=True)]]
)
def test_a_date_time_needs_a_zone_and_is_stored_in_utc(annotation: Any) -> None:
    get_rejection(annotation, "2026-11-23T10:00:00")
    value = decode_field(annotation, "2026-11-23T10:00:00.5+05:30")
    assert (value.isoformat(), value.tzinfo) == ("2026-11-23T04:30:00.500000+00:00", datetime.UTC)


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59-00:01", "0001-01-01T00:00:59+00:01"])
def test_a_date_time_whose_year_does_not_fit_in_utc(text: str) -> None:
    assert "year" in get_rejection(datetime.datetime, text)
    assert "year" in get_rejection(datetime.datetime | None, text)


@pytest.mark.parametrize("text", ["9999-12-31T22:59:59-01:00", "0001-01-01T01:00:00+01:00"])
def test_a_date_time_whose_year_just_fits(text: str) -> None:
    assert decode_field(datetime.datetime, text).year in (1, 9999)


def escape_first(text: str) -> bytes:
    """Encode a text as JSON with its first character escaped, as some client libraries do."""
    return f'"\\u{ord(text[0]):04x}{text[1:]}"'.encode()


WIDE = Annotated[Decimal, Digits(38, 10)]


@pytest.mark.parametrize(
    "text",
    [
        "9" * 28 + ".9999999999",
        "-" + "9" * 28 + ".9999999999",
        "1" + "0" * 27 + ".0000000001",
        "0." + "0" * 9 + "1",
        "007.50",
        "-0",
    ],
)
def test_a_decimal_keeps_every_digit(text: str) -> None:
    assert decode_field(WIDE, text) == decode_field(WIDE, escape_first(text)) == Decimal(text)


@pytest.mark.parametrize("number", ["1E+27", "1e2", "-0.0", "5" + "0" * 50 + "E-50", "1." + "0" * 100, "0E-999999999"])
def test_a_decimal_can_be_a_number_in_any_spelling(number: str) -> None:
    value = decode_field(WIDE, number.encode())
    assert value == Decimal(number)
    assert "E" not in str(value)


@pytest.mark.parametrize(
    "text", ["9" * 28 + ".99999999999", "0." + "0" * 10 + "1", "1" + "0" * 28, "1" * 29, "1E+28", "1" * 20 + "E-12"]
)
def test_a_decimal_with_too_many_digits(text: str) -> None:
    for annotation in (WIDE, WIDE | None):
        assert "28 digits before" in get_rejection(annotation, text)
        assert "28 digits before" in get_rejection(annotation, text.encode())


SPELLINGS = [
    " 1",
    "1 ",
    "1\n",
    "1_0",
    "1e2",
    "1E-2",
    "+1",
    ".5",
    "5.",
    "1.50000000000",
    "\u0661",
    "\uff11",
    "NaN",
    "sNaN",
]


@pytest.mark.parametrize(
    "text", [*SPELLINGS, "Infinity", "-Infinity", "1.5" + "0" * 100_000], ids=lambda text: ascii(text[:9])
)
def test_a_text_is_a_decimal_only_as_the_openapi_document_says(text: str) -> None:
    assert Decimal(text) is not None
    assert "decimal" in get_rejection(WIDE, text)
    assert "decimal" in get_rejection(WIDE | None, json.dumps(text).encode())
    assert not re.search(columns.create_decimal_pattern(derive_column_type(WIDE)).replace("$", r"\Z"), text)


@pytest.mark.parametrize("number", ["0E-999999999999", "0E+999999999999", "1.5" + "0" * 100_000])
def test_trailing_zeros_are_removed(number: str) -> None:
    assert len(str(decode_field(Annotated[Decimal, Digits(3, 1)], number.encode()))) <= 3


def test_zero_needs_no_digit_before_the_decimal_point() -> None:
    assert decode_field(Annotated[Decimal, Digits(2, 2)], b'"0.00"') == 0


def test_a_decimal_can_be_a_number() -> None:
    assert decode_field(Annotated[Decimal, Digits(3, 1)], b"0.1") == Decimal("0.1")
