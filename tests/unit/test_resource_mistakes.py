"""Mistakes in a resource class fail at the declaration, with a sentence that names class and field."""

import datetime
import enum
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta

from sluice.model.resource import Digits, create_resource, get_declared_resources, resource
from tests.unit.classes import create_item_class


class Mixed(enum.Enum):
    ONE = 1
    TWO = "two"


class Empty(enum.Enum):
    pass


class Shout(str):
    __slots__ = ()


FIELDS: list[tuple[str, Any, str]] = [
    ("unions", int | str, "union"),
    ("unions of three", int | str | None, "union"),
    ("nothing", None, "no column type"),
    ("anything", Any, "no column type"),
    ("object", object, "no column type"),
    ("complex", complex, "no column type"),
    ("bytes", bytes, "no column type"),
    ("optional bytes", bytearray | None, "no column type"),
    ("text of their own", Shout, "no column type"),
    ("time", datetime.time, "no column type"),
    ("duration", datetime.timedelta, "no column type"),
    ("mixed enumeration", Mixed, "all text or all int"),
    ("mixed literal", Literal["a", 1], "all text or all int"),
    ("enumeration of nothing", Empty, "needs values"),
    ("more digits than MariaDB has", Annotated[Decimal, Digits(66, 2)], "Digits"),
    ("more behind the point than in all", Annotated[Decimal, Digits(2, 3)], "Digits"),
    ("no digits", Annotated[Decimal, Digits(0, 0)], "Digits"),
    ("too many behind the point", Annotated[Decimal, Digits(65, 39)], "Digits"),
    ("digits below none", Annotated[Decimal, Digits(5, -1)], "Digits"),
    ("local time", Annotated[datetime.datetime, Meta(tz=False)], "time zone"),
    ("two lengths", Annotated[str, Meta(max_length=5), Meta(max_length=9)], "max_length"),
    ("the length of a number", Annotated[int, Meta(max_length=5)], "max_length"),
]


@pytest.mark.parametrize(("annotation", "message"), [row[1:] for row in FIELDS], ids=[row[0] for row in FIELDS])
def test_a_type_without_a_column(annotation: Any, message: str) -> None:
    model = create_item_class(("field", annotation))
    with pytest.raises(TypeError, match=rf"^Thing\.field: .*{message}"):
        create_resource(model, "things")


DEFAULTS: list[tuple[str, Any, Any]] = [
    ("too long", Annotated[str, Meta(max_length=3)], "four"),
    ("another type", int, "1"),
    ("without a time zone", datetime.datetime, datetime.datetime(2000, 1, 1)),  # noqa: DTZ001
    ("too many digits", Annotated[Decimal, Digits(4, 2)], Decimal("1.234")),
    ("not a number", Decimal, Decimal("NaN")),
    ("null where none may be", str, None),
    ("null possible, but another", str | None, "some"),
    ("a list that is null possible", list[str] | None, msgspec.field(default_factory=list)),
    ("beyond 64 bits", int, 2**63),
]


@pytest.mark.parametrize(("annotation", "default"), [row[1:] for row in DEFAULTS], ids=[row[0] for row in DEFAULTS])
def test_a_default_that_cannot_be_stored(annotation: Any, default: Any) -> None:
    model = create_item_class(("field", annotation, default))
    with pytest.raises(TypeError, match=r"^Thing\.field: .*default"):
        create_resource(model, "things")


@pytest.mark.parametrize(
    "name", ["owner", "id", "version", "written_at", "deleted", "Name", "_name", "n" * 49, "größe"]
)
def test_a_field_name_that_cannot_be_a_column(name: str) -> None:
    model = create_item_class((name, int))
    with pytest.raises(TypeError, match=rf"^Thing\.{name}: this name"):
        create_resource(model, "things")


def test_a_field_that_has_another_name_in_json() -> None:
    model = create_item_class(("made_on", int, msgspec.field(name="madeOn")))
    with pytest.raises(TypeError, match=r"^Thing\.made_on: .*'madeOn'"):
        create_resource(model, "things")
    with pytest.raises(TypeError, match=r"^Thing\.made_on: .*'madeOn'"):
        create_resource(create_item_class(("made_on", int), rename="camel"), "things")


@pytest.mark.parametrize("option", [{"frozen": True}, {"array_like": True}, {"tag": "thing"}], ids=str)
def test_a_class_of_another_shape(option: dict[str, Any]) -> None:
    model = create_item_class(("field", int), **option)
    with pytest.raises(TypeError, match=r"^Thing: .*frozen"):
        create_resource(model, "things")


@pytest.mark.parametrize("model", [msgspec.defstruct("Thing", []), type("Thing", (), {}), type("Thing", (dict,), {})])
def test_a_class_that_is_not_an_item(model: Any) -> None:
    with pytest.raises(TypeError, match=r"^Thing: .*Item"):
        create_resource(model, "things")


@pytest.mark.parametrize("name", ["", "Things", "1st", "a-b", "things ", "t" * 49, "a`b", "loaded_batches", "openapi"])
def test_an_invalid_collection_name(name: str) -> None:
    with pytest.raises(TypeError, match=r"^Thing: .*cannot name a collection"):
        create_resource(create_item_class(("field", int)), name)


KEYS: list[tuple[str, Any]] = [
    ("other", [("field", str)]),
    ("field", [("field", int)]),
    ("field", [("field", str, "x")]),
]


@pytest.mark.parametrize(("key", "fields"), KEYS, ids=str)
def test_a_key_that_is_not_a_required_text(key: str, fields: Any) -> None:
    with pytest.raises(TypeError, match=f"^Thing: the key '{key}'"):
        create_resource(create_item_class(*fields), "things", key=key)


@pytest.mark.parametrize("revision", [0, -1])
def test_a_revision_below_one(revision: int) -> None:
    with pytest.raises(TypeError, match=r"^Thing: the first revision"):
        create_resource(create_item_class(("field", int)), "things", revision=revision)


def test_two_classes_for_one_collection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sluice.model.resource._resources_by_collection", {})
    declare: Callable[[Any], Any] = resource("things")
    first = declare(create_item_class(("field", int), name="First"))
    assert declare(first) is first  # its module was imported anew
    with pytest.raises(TypeError, match=r"^Second: 'things' is declared"):
        declare(create_item_class(("field", int), name="Second"))
    assert [declared.model for declared in get_declared_resources().values()] == [first]
