"""Every resource as a table, and the tables of the service itself."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Column, Index, MetaData, Table

from sluice.columns import ColumnType
from sluice.migrating.shapes import ASCII, TEXT, collation_for
from sluice.migrating.stored import Stored
from sluice.resource import Resource

# The id's comment where the service chooses the id: no field's name, because of its hyphen.
CHOSEN = "service-chosen"

_MOMENT = ColumnType("DATETIME", precision=6)
_COUNT = ColumnType("INT UNSIGNED")
_OPTIONS: dict[str, Any] = {
    f"{dialect}_{option}": value
    for dialect in ("mysql", "mariadb")
    for option, value in {"engine": "InnoDB", "charset": "utf8mb4", "collate": TEXT}.items()
}


def metadata(resources: Iterable[Resource]) -> MetaData:
    """The whole schema: the service's own tables first, then one table per resource."""
    schema = MetaData()
    _ledger(schema)
    _rejects(schema)
    _marks(schema)
    _exclusions(schema)
    _migrations(schema)
    for resource in resources:
        _collection(schema, resource)
    return schema


def _collection(schema: MetaData, resource: Resource) -> None:
    Table(
        resource.collection,
        schema,
        _key("owner", ColumnType("VARCHAR", length=128), ASCII),
        _key("id", resource.id_type, ASCII if resource.key else None, comment=resource.key or CHOSEN),
        _column("version", ColumnType("CHAR", length=26), ASCII),
        _column("written_at", _MOMENT),
        _column("deleted", ColumnType("BOOLEAN")),
        *(
            Column(field.name, Stored(field.type, collation_for(field.type)), comment=field.presence)
            for field in resource.columns
        ),
        *(Index(index.name, *index.columns) for index in resource.indexes),
        comment="private" if resource.private else "shared",
        **_OPTIONS,
    )


def _ledger(schema: MetaData) -> None:
    Table(
        "loaded_batches",
        schema,
        _key("object_key", ColumnType("VARCHAR", length=512), TEXT),
        _key("etag", ColumnType("VARCHAR", length=64), ASCII),
        *(_column(name, _COUNT) for name in ("applied", "stale", "rejected", "duration_ms")),
        _column("loaded_at", _MOMENT),
        **_OPTIONS,
    )


def _rejects(schema: MetaData) -> None:
    # What is rejected may be wrong in any way: its names are kept as text, not in the narrower types of a collection.
    Table(
        "rejected_writes",
        schema,
        _key("version", ColumnType("CHAR", length=26), ASCII),
        _key("collection", ColumnType("VARCHAR", length=64), TEXT),
        _key("owner", ColumnType("VARCHAR", length=128), TEXT),
        _key("id", ColumnType("VARCHAR", length=128), TEXT),
        _column("reason", ColumnType("MEDIUMTEXT"), TEXT),
        _column("write", ColumnType("LONGTEXT"), TEXT),
        _column("object_key", ColumnType("VARCHAR", length=512), TEXT),
        _column("line", _COUNT),
        **_OPTIONS,
    )


def _marks(schema: MetaData) -> None:
    Table(
        "marks",
        schema,
        _key("name", ColumnType("VARCHAR", length=16), ASCII),
        _column("version", ColumnType("CHAR", length=26), ASCII),
        **_OPTIONS,
    )


def _exclusions(schema: MetaData) -> None:
    Table(
        "exclusions",
        schema,
        _key("execution", ColumnType("VARCHAR", length=80), ASCII),
        _column("rules", ColumnType("LONGTEXT"), TEXT),
        _column("reason", ColumnType("MEDIUMTEXT"), TEXT),
        _column("made_at", _MOMENT),
        **_OPTIONS,
    )


def _migrations(schema: MetaData) -> None:
    Table(
        "migrations",
        schema,
        _key("deployment", ColumnType("CHAR", length=64), ASCII),
        _column("migrated_at", _MOMENT),
        _column("changes", ColumnType("MEDIUMTEXT"), TEXT),
        **_OPTIONS,
    )


def _key(name: str, type_: ColumnType, collation: str | None, comment: str | None = None) -> Column[Any]:
    return Column(name, Stored(type_, collation), primary_key=True, autoincrement=False, comment=comment)


def _column(name: str, type_: ColumnType, collation: str | None = None) -> Column[Any]:
    return Column(name, Stored(type_, collation), nullable=False)
