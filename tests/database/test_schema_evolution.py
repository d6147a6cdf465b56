"""Writes of other revisions than the current one: older ones load, newer ones wait for the deployment."""

import datetime
from decimal import Decimal
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta

from sluice.errors import SchemaOutdated
from sluice.load.load_types import LoadResult
from sluice.model.record import NULL_DATA, Write
from sluice.model.resource import Digits, Item, create_resource
from sluice.model.versions import new_version
from tests.database.rig import Rig

REVISION = 3


class Widget(Item, kw_only=True):
    """The current class; each field has another history."""

    name: Annotated[str, Meta(max_length=80)]  # longer than it was
    needed: str  # was optional
    price: Annotated[Decimal, Digits(12, 3)] = Decimal(1)  # had fewer digits
    added: int = 7
    tags: list[str] = []
    maybe: str | None = None


class Label(Widget, kw_only=True):
    code: str


# With a natural key the id is a text, otherwise a UUID.
IDS = {"widgets": "01a20f25-a3f4-7a8b-b1d9-0123456789ab", "labels": "A"}
FULL = {"name": "x", "needed": "y"}


@pytest.fixture(params=IDS)
def collection(rig: Rig, request: pytest.FixtureRequest) -> str:
    resources = (
        create_resource(Widget, "widgets", private=True, revision=REVISION),
        create_resource(Label, "labels", key="code", revision=REVISION),
    )
    rig.resources = {described.collection: described for described in resources}
    rig.make_tables()
    return str(request.param)


def write(collection: str, data: dict[str, Any] | None, schema: int) -> Write:
    item_id = IDS[collection]
    if data is not None and collection == "labels":
        data = {"code": item_id, **data}
    return Write(
        version=new_version(),
        collection=collection,
        id=item_id,
        operation="delete" if data is None else "put",
        owner="",
        accepted_at=datetime.datetime.now(datetime.UTC),
        schema=schema,
        data=NULL_DATA if data is None else msgspec.Raw(msgspec.json.encode(data)),
    )


def bad_write(collection: str) -> Write:
    return write(collection, {"name": "x" * 81, "needed": "y"}, REVISION)


@pytest.mark.parametrize("strict", [False, True], ids=["fast", "strict"])
@pytest.mark.parametrize("schema", [1, 2])
@pytest.mark.parametrize(
    ("data", "differs", "unknown"),
    [
        (FULL, {}, 0),
        (FULL | {"maybe": None}, {}, 0),
        (FULL | {"name": "x" * 80, "maybe": "é"}, {"name": "x" * 80, "maybe": "é"}, 0),
        (FULL | {"price": "0.5", "added": -1}, {"price": Decimal("0.5"), "added": -1}, 0),
        (FULL | {"gone": 1}, {}, 1),
        (FULL | {"gone": {"deep": [None, {"name": "not this"}]}, "other": "x"}, {}, 1),
        ({"name": "x"}, {"needed": None}, 0),
        ({"name": "x", "gone": [1]}, {"needed": None}, 1),
    ],
)
def test_an_older_write_loads(
    rig: Rig, collection: str, data: dict[str, Any], differs: dict[str, Any], unknown: int, schema: int, strict: bool
) -> None:
    outcome = rig.load(write(collection, data, schema), *[bad_write(collection)] * strict)
    assert (outcome.applied, outcome.rejected, outcome.unknown_fields) == (1, strict, unknown)
    stored = {"price": Decimal(1), "added": 7, "tags": "[]", "maybe": None} | FULL | differs
    assert rig.rows(f"SELECT {', '.join(stored)} FROM {collection}") == [stored]


def test_an_older_write_of_a_key_need_not_repeat_it(rig: Rig, collection: str) -> None:
    older = write(collection, FULL, 1)
    older.data = msgspec.Raw(msgspec.json.encode(FULL))
    assert rig.load(older).applied == 1
    assert rig.rows(f"SELECT id FROM {collection}") == [{"id": IDS[collection]}]


@pytest.mark.parametrize("schema", [1, REVISION])
def test_an_older_delete_loads(rig: Rig, collection: str, schema: int) -> None:
    put = write(collection, FULL, REVISION)
    outcome = rig.load(put, write(collection, None, schema))
    assert (outcome.applied, outcome.stale) == (1, 1)
    assert rig.load(write(collection, FULL, 1)).applied == 1
    assert rig.load(write(collection, None, schema), bad_write(collection)).applied == 1
    assert rig.rows(f"SELECT deleted, name, needed, added FROM {collection}") == [
        {"deleted": 1, "name": None, "needed": None, "added": None}
    ]


@pytest.mark.parametrize("data", [{"name": "x" * 81}, FULL | {"added": 2**63, "gone": 1}, FULL | {"price": "0.0001"}])
def test_an_older_write_is_checked_against_the_current_columns(rig: Rig, collection: str, data: dict[str, Any]) -> None:
    assert outcome_counts(rig.load(write(collection, FULL, 1), write(collection, data, 1))) == (1, 0, 1)


@pytest.mark.parametrize("strict", [False, True], ids=["fast", "strict"])
@pytest.mark.parametrize("data", [FULL, FULL | {"new": 1}, None])
def test_a_newer_write_waits(rig: Rig, collection: str, data: dict[str, Any] | None, strict: bool) -> None:
    older = write(collection, FULL, 1)
    with pytest.raises(SchemaOutdated):
        rig.load(older, *[bad_write(collection)] * strict, write(collection, data, REVISION + 1))
    assert rig.rows(f"SELECT 1 FROM {collection} UNION ALL SELECT 1 FROM loaded_batches") == []
    assert rig.load(older).applied == 1


def test_current_writes_have_the_current_fields(rig: Rig, collection: str) -> None:
    assert outcome_counts(rig.load(write(collection, {"name": "x"}, REVISION))) == (0, 0, 1)
    [row] = rig.rows("SELECT reason FROM rejected_writes")
    assert "needed" in row["reason"]
    with pytest.raises(SchemaOutdated):
        rig.load(write(collection, FULL | {"new": 1}, REVISION))


def outcome_counts(outcome: LoadResult) -> tuple[int, int, int]:
    return outcome.applied, outcome.stale, outcome.rejected
