"""A change that would lose or break data is refused on a real MariaDB, and nothing is changed."""

import datetime
from decimal import Decimal
from typing import Annotated, Any

import pytest
from msgspec import Meta

from local.database import DatabaseServers
from sluice.errors import MigrationRefused
from sluice.model.resource import Digits, Resource
from tests.database.migration_rig import Migrated, notes

SHORT = Annotated[str, Meta(max_length=20)]
OLD: dict[str, Any] = {
    "text": SHORT,
    "price": Annotated[Decimal, Digits(6, 2)],
    "size": (int, 1),
    "tag": (SHORT | None, None),
}


@pytest.fixture
def schema(servers: DatabaseServers, database: str, connect: Any) -> Migrated:
    return Migrated(servers, database, connect)


def changed(**fields: Any) -> Resource:
    return notes(**OLD | fields)


def without(*names: str) -> Resource:
    return notes(**{name: field for name, field in OLD.items() if name not in names})


REFUSED = {
    "field removed": (
        without("tag"),
        (
            "notes.tag is no longer a field, and the values in its column would be lost: keep it as an optional "
            "field, or drop the column by hand when nobody needs its values (ALTER TABLE notes DROP COLUMN tag)."
        ),
    ),
    "type changed": (
        changed(size=(datetime.date, datetime.date.min)),
        (
            "notes.size changes its type from BIGINT to DATE, and stored values could be lost or altered: keep "
            "BIGINT, or add a new field beside it."
        ),
    ),
    "integer to float": (
        changed(size=(float, 1.0)),
        (
            "notes.size changes its type from BIGINT to DOUBLE, and stored values could be lost or altered: keep "
            "BIGINT, or add a new field beside it."
        ),
    ),
    "narrowed text": (
        changed(text=Annotated[str, Meta(max_length=19)]),
        (
            "notes.text is narrowed from VARCHAR(20) to VARCHAR(19), and longer stored values would be cut: "
            "keep VARCHAR(20), or add a new field beside it."
        ),
    ),
    "fewer digits before the point": (
        changed(price=Annotated[Decimal, Digits(6, 3)]),
        (
            "notes.price is narrowed from DECIMAL(6,2) to DECIMAL(6,3), and longer stored values would be cut: "
            "keep DECIMAL(6,2), or add a new field beside it."
        ),
    ),
    "new required field": (
        changed(more=int),
        (
            "notes.more is a new required field, but existing rows and older writes lack it: give it a default or make "
            "it optional."
        ),
    ),
    "optional to required": (
        changed(tag=SHORT),
        "notes.tag becomes required, but existing rows and older writes may lack it: keep it optional.",
    ),
    "default to required": (
        changed(size=int),
        "notes.size becomes required, but existing rows and older writes may lack it: keep it with a default.",
    ),
    "optional to default": (
        changed(tag=(SHORT, "")),
        (
            "notes.tag changes from optional to a default, but older writes may contain null for it, which would "
            "become invalid: keep it optional."
        ),
    ),
    "private to shared": (
        notes(private=False, **OLD),
        (
            "notes changes from private to shared, and everyone could read what only its owner may read: keep it "
            "private, or declare a new collection under another name."
        ),
    ),
    "chosen id to a key": (
        notes(key="text", **OLD),
        (
            "notes changes its key from service-chosen to text, and the ids of existing items and of older writes "
            "would no longer identify them: keep the key, or declare a new collection under another name."
        ),
    ),
}


@pytest.mark.parametrize(("resource", "sentence"), REFUSED.values(), ids=REFUSED.keys())
def test_a_refusal_says_why_and_changes_nothing(schema: Migrated, resource: Resource, sentence: str) -> None:
    schema.run(notes(**OLD))
    before = schema.binary_log_position()
    with pytest.raises(MigrationRefused) as refused:
        schema.run(resource)
    assert refused.value.refusals == (sentence,)
    assert str(refused.value) == f"Nothing was changed. {sentence}"
    assert schema.binary_log_position() == before


def test_shared_to_private_is_refused(schema: Migrated) -> None:
    schema.run(notes(private=False, **OLD))
    with pytest.raises(MigrationRefused, match="notes changes from shared to private, and no owner could reach"):
        schema.run(notes(**OLD))


def test_another_key_is_one_refusal(schema: Migrated) -> None:
    schema.run(notes(key="text", text=str, code=str))
    with pytest.raises(MigrationRefused) as refused:
        schema.run(notes(key="code", text=str, code=str))
    assert [refusal.partition(", and")[0] for refusal in refused.value.refusals] == [
        "notes changes its key from text to code"
    ]


def test_all_refusals_are_reported_together_and_stop_allowed_changes_too(schema: Migrated) -> None:
    others = notes(collection="others", text=SHORT)
    schema.run(notes(**OLD), others)
    before = schema.binary_log_position()
    with pytest.raises(MigrationRefused) as refused:
        schema.run(
            without("tag", "size"),
            notes(collection="others", text=Annotated[str, Meta(max_length=2)], fine=(int | None, None)),
            notes(collection="wanted", text=str),
        )
    assert sorted(refusal.split()[0] for refusal in refused.value.refusals) == [
        "notes.size",
        "notes.tag",
        "others.text",
    ]
    assert schema.binary_log_position() == before


def test_a_column_in_another_collation_is_refused(schema: Migrated) -> None:
    schema.run(notes(**OLD))
    schema.sql("ALTER TABLE notes MODIFY text VARCHAR(20) COLLATE utf8mb4_general_ci COMMENT 'required'")
    with pytest.raises(MigrationRefused, match=r"notes\.text has the collation utf8mb4_general_ci in the database"):
        schema.run(notes(**OLD))


def test_a_table_that_no_migration_created_is_refused(schema: Migrated) -> None:
    schema.sql("CREATE TABLE notes (id INT PRIMARY KEY, text VARCHAR(20))")
    with pytest.raises(MigrationRefused, match="notes changes from a table not created by a migration to private"):
        schema.run(notes(**OLD))
    assert list(schema.columns("notes")) == ["id", "text"]


def test_a_rollback_leaves_what_the_later_deployment_added(schema: Migrated) -> None:
    first, second = notes(**OLD), changed(text=str, more=(int | None, None), size=(int | None, None))
    schema.run(first, deployment="first")
    schema.run(second, deployment="second")
    after = schema.columns("notes")
    outcome = schema.run(first, deployment="first")
    assert sorted(notice.split(": ")[1].split()[0] for notice in outcome.notices) == [
        "notes.more",
        "notes.size",
        "notes.text",
    ]
    assert (outcome.done, schema.columns("notes")) == ((), after)
    with pytest.raises(MigrationRefused):
        schema.run(first, deployment="third")
