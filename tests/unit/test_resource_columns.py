"""Every field type that a resource can have, and its column."""

import datetime
import enum
import uuid
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta

from sluice.model.columns import Column
from sluice.model.resource import Digits, Item, Resource, create_resource
from tests.unit.classes import create_item_class


class Colour(enum.Enum):
    RED = "red"
    MAGENTA = "magenta"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Part(msgspec.Struct):
    name: str
    others: list["Part"] = []


def text(length: int) -> Any:
    return Annotated[str, Meta(max_length=length)]


TYPES: list[tuple[Any, str]] = [
    (str, "MEDIUMTEXT"),
    (text(40), "VARCHAR(40)"),
    (text(512), "VARCHAR(512)"),
    (text(513), "MEDIUMTEXT"),
    (Annotated[str, Meta(min_length=2), Meta(max_length=40)], "VARCHAR(40)"),
    (Annotated[str, Meta(pattern="^a$")], "MEDIUMTEXT"),
    (int, "BIGINT"),
    (Annotated[int, Meta(ge=0)], "BIGINT"),
    (float, "DOUBLE"),
    (bool, "BOOLEAN"),
    (Decimal, "DECIMAL(38,10)"),
    (Annotated[Decimal, Digits(10, 2)], "DECIMAL(10,2)"),
    (Annotated[Decimal, Digits(65, 38)], "DECIMAL(65,38)"),
    (Annotated[Decimal, Digits(5, 0)], "DECIMAL(5,0)"),
    (datetime.date, "DATE"),
    (datetime.datetime, "DATETIME(6)"),
    (Annotated[datetime.datetime, Meta(tz=True)], "DATETIME(6)"),
    (uuid.UUID, "UUID"),
    (Colour, "VARCHAR(7)"),
    (Level, "BIGINT"),
    (Literal["s", "medium"], "VARCHAR(6)"),
    (Literal[1, 20], "BIGINT"),
    (list, "JSON"),
    (list[str], "JSON"),
    (Annotated[list[str], Meta(max_length=3)], "JSON"),
    (tuple[int, str], "JSON"),
    (set[str], "JSON"),
    (dict, "JSON"),
    (dict[str, Any], "JSON"),
    (Part, "JSON"),
    (list[Part], "JSON"),
]
IDS = [str(annotation) for annotation, _ in TYPES]


def create_things(annotation: Any, *default: Any) -> Resource:
    return create_resource(create_item_class(("field", annotation, *default)), "things")


@pytest.mark.parametrize(("annotation", "ddl"), TYPES, ids=IDS)
def test_a_type_has_its_column(annotation: Any, ddl: str) -> None:
    (column,) = create_things(annotation).columns
    assert (column.name, column.type.ddl, column.presence, column.is_required) == ("field", ddl, "required", True)


@pytest.mark.parametrize(("annotation", "ddl"), TYPES, ids=IDS)
def test_an_optional_type_has_the_same_column(annotation: Any, ddl: str) -> None:
    (column,) = create_things(annotation | None, None).columns
    assert (column.type.ddl, column.presence, column.is_required) == (ddl, "optional", False)


def test_a_limit_around_an_optional_type_applies() -> None:
    (column,) = create_things(Annotated[str | None, Meta(max_length=9)], None).columns
    assert column.type.ddl == "VARCHAR(9)"


@pytest.mark.parametrize(
    ("annotation", "default"),
    [
        (int, 0),
        (str, ""),
        (Colour, Colour.RED),
        (list[str], []),
        (dict[str, Any], msgspec.field(default_factory=dict)),
        (Decimal, Decimal("1.5")),
        (datetime.datetime, datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)),
    ],
)
def test_a_field_with_a_default_can_be_omitted(annotation: Any, default: Any) -> None:
    (column,) = create_things(annotation, default).columns
    assert (column.presence, column.is_required) == ("default", False)


def test_a_field_that_can_be_null_but_not_omitted_is_required() -> None:
    (column,) = create_things(int | None).columns
    assert column.presence == "required"


def test_the_key_is_the_id_and_not_a_column() -> None:
    class Place(Item):
        code: Annotated[str, Meta(max_length=4)]
        name: str

    place = create_resource(Place, "places", key="code")
    assert [column.name for column in place.columns] == ["name"]
    assert place.id_type.ddl == "VARCHAR(128)"


def test_an_id_that_the_service_chooses_is_a_uuid() -> None:
    assert create_things(int).id_type.ddl == "UUID"


def test_columns_have_the_order_of_the_fields_including_inherited_ones() -> None:
    class Dated(Item):
        made_on: datetime.date

    class Named(Dated):
        name: str
        age: int = 0

    assert create_resource(Named, "names").columns == (
        Column("made_on", create_things(datetime.date).columns[0].type, "required"),
        Column("name", create_things(str).columns[0].type, "required"),
        Column("age", create_things(int).columns[0].type, "default"),
    )
