"""A resource class keeps its own checks and methods, and its items keep to themselves."""

import enum
import json

import pytest

from sluice.http.problem import Problem
from sluice.ingest.item_body import decode_item
from sluice.model.record import encode_item
from sluice.model.resource import Item, create_resource


class Even(Item):
    """A class that checks itself."""

    low: int
    high: int = 9

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("low is above high")

    @property
    def width(self) -> int:
        return self.high - self.low


def test_a_class_still_checks_itself() -> None:
    even = create_resource(Even, "evens")
    item = decode_item(b'{"low": 3}', even)
    assert isinstance(item, Even)
    assert item.width == 6
    with pytest.raises(Problem, match="low is above high") as problem:
        decode_item(b'{"low": 10}', even)
    assert problem.value.status == 422


class Colour(enum.Enum):
    RED = "red"


class Small(Item, kw_only=True):
    colour: Colour = Colour.RED
    tags: list[str] = []
    note: str | None = None
    must: int | None


def test_an_optional_field_without_a_value_is_left_out_of_the_record() -> None:
    small = create_resource(Small, "smalls")
    assert json.loads(bytes(encode_item(decode_item(b'{"must": null, "note": null}', small), small))) == {
        "colour": "red",
        "tags": [],
        "must": None,
    }


def test_defaults_are_not_shared_between_items() -> None:
    small = create_resource(Small, "smalls")
    first, second = (decode_item(b'{"must": 1}', small) for _ in range(2))
    assert isinstance(first, Small)
    assert isinstance(second, Small)
    first.tags.append("one")
    assert second.tags == []
