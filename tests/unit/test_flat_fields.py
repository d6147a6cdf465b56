"""The depth of a value is checked only if its type can be nested."""

import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta

from sluice.model.resource import Item
from sluice.model.validation import create_field_checks


class Inner(Item):
    more: list[Any]


@pytest.mark.parametrize(
    ("annotation", "is_checked"),
    [
        (list[str], False),
        (list[Annotated[str, Meta(max_length=3)]], False),
        (list[int | None], False),
        (tuple[Decimal, ...], False),
        (set[datetime.date], False),
        (dict[str, float], False),
        (list[int] | None, False),
        (list[Any], True),
        (list[list[str]], True),
        (dict[str, Any], True),
        (list[int | str], True),
        (list[Inner], True),
        (list[Literal["a"]], True),
        (list, True),
        (dict, True),
    ],
    ids=str,
)
def test_depth_is_checked_if_the_type_can_be_nested(annotation: Any, is_checked: bool) -> None:
    Thing = type("Thing", (Item,), {"__annotations__": {"field": annotation}})  # noqa: N806
    assert ("field" in create_field_checks(Thing)) == is_checked
