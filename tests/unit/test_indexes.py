"""Indexes that a table cannot have, or that cannot answer a list, are rejected when the resource is declared."""

from collections.abc import Sequence
from typing import Annotated

import pytest
from msgspec import Meta

from sluice.model.resource import Item, create_resource
from tests.unit.classes import create_item_class
from tests.unit.lists import SAMPLES


class Wide(Item):
    code: str
    a: Annotated[str, Meta(max_length=512)]
    b: Annotated[str, Meta(max_length=512)]
    story: str
    tags: list[str]
    limit: int
    city: Annotated[str, Meta(max_length=80)] = ""
    note: Annotated[str, Meta(max_length=80)] | None = None


@pytest.mark.parametrize(
    ("indexes", "message"),
    [
        (["nothing"], "nothing names nothing, which is not a field"),
        (["code"], "code names code, which is not a field besides the key"),
        (["version"], "not a field"),
        ([()], "needs fields"),
        ([""], "not a field"),
        ([("a", "a")], "each of them once"),
        (["story"], "story, a MEDIUMTEXT"),
        (["tags"], "tags, a JSON"),
        (["limit"], "parameter of every list"),
        (["city"], "rows that are older"),
        (["note", "note"], "declared twice"),
        (["note", ("note",)], "declared twice"),
        ([("a", "b")], "more than 3072 bytes"),
    ],
    ids=str,
)
def test_an_index_that_is_impossible(indexes: Sequence[str], message: str) -> None:
    with pytest.raises(TypeError, match=f"^Wide: the index .*{message}"):
        create_resource(Wide, "wide", key="code", indexes=indexes)


def test_a_name_that_is_too_long() -> None:
    long, longer = "a" * 30, "b" * 31
    model = create_item_class((long, int), (longer, int))
    assert create_resource(model, "things", indexes=[long, longer])
    with pytest.raises(TypeError, match="more than 64 characters"):
        create_resource(model, "things", indexes=[(long, longer)])


def test_an_index_begins_with_the_owner_and_ends_with_the_id() -> None:
    assert SAMPLES.indexes[-2].columns == ("owner", "deleted", "colour", "count", "id")
    assert len({index.name for index in SAMPLES.indexes}) == len(SAMPLES.indexes) == 11
