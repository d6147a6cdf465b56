"""The declared tables, and the DDL for each allowed difference.

MariaDB commits each DDL statement at once, so an interrupted migration is not undone. After every statement the
remaining differences are still allowed: the next run compares again and continues.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import Column, Index, MetaData, Table, make_url
from sqlalchemy.schema import CreateColumn, CreateTable

from sluice.model.columns import ColumnType
from sluice.model.resource import Resource
from sluice.schema.column_types import DeclaredType, choose_collation
from sluice.schema.ddl_executor import ASCII_COLLATION, TEXT_COLLATION, Statement
from sluice.schema.diff import ChangedColumn, Difference, MissingColumn, MissingIndex, MissingTable

# The id's comment when the service chooses the ids. It has a hyphen, so no field can have this name.
SERVICE_CHOSEN_ID = "service-chosen"

_TIME = ColumnType("DATETIME", precision=6)
_COUNT = ColumnType("INT UNSIGNED")
_OPTIONS: dict[str, Any] = {
    f"{dialect}_{option}": value
    for dialect in ("mysql", "mariadb")
    for option, value in {"engine": "InnoDB", "charset": "utf8mb4", "collate": TEXT_COLLATION}.items()
}

_DIALECT = make_url("mariadb+pymysql://").get_dialect()()
_QUOTE = _DIALECT.identifier_preparer.quote


def build_metadata(resources: Iterable[Resource]) -> MetaData:
    """The whole schema: the service's own tables first, then one table per resource."""
    schema = MetaData()
    _add_ledger(schema)
    _add_rejected_writes(schema)
    _add_marks(schema)
    _add_exclusions(schema)
    _add_migrations(schema)
    for resource in resources:
        _add_collection(schema, resource)
    return schema


def _add_collection(schema: MetaData, resource: Resource) -> None:
    Table(
        resource.collection,
        schema,
        _key_column("owner", ColumnType("VARCHAR", length=128), ASCII_COLLATION),
        _key_column(
            "id",
            resource.id_type,
            ASCII_COLLATION if resource.key else None,
            comment=resource.key or SERVICE_CHOSEN_ID,
        ),
        _value_column("version", ColumnType("CHAR", length=26), ASCII_COLLATION),
        _value_column("written_at", _TIME),
        _value_column("deleted", ColumnType("BOOLEAN")),
        *(
            Column(field.name, DeclaredType(field.type, choose_collation(field.type)), comment=field.presence)
            for field in resource.columns
        ),
        *(Index(index.name, *index.columns) for index in resource.indexes),
        comment="private" if resource.private else "shared",
        **_OPTIONS,
    )


def _add_ledger(schema: MetaData) -> None:
    Table(
        "loaded_batches",
        schema,
        _key_column("object_key", ColumnType("VARCHAR", length=512), TEXT_COLLATION),
        _key_column("etag", ColumnType("VARCHAR", length=64), ASCII_COLLATION),
        *(_value_column(name, _COUNT) for name in ("applied", "stale", "rejected", "duration_ms")),
        _value_column("loaded_at", _TIME),
        **_OPTIONS,
    )


def _add_rejected_writes(schema: MetaData) -> None:
    # A rejected write can be wrong in any way: its names are stored as text, not in a collection's narrower types.
    Table(
        "rejected_writes",
        schema,
        _key_column("version", ColumnType("CHAR", length=26), ASCII_COLLATION),
        _key_column("collection", ColumnType("VARCHAR", length=64), TEXT_COLLATION),
        _key_column("owner", ColumnType("VARCHAR", length=128), TEXT_COLLATION),
        _key_column("id", ColumnType("VARCHAR", length=128), TEXT_COLLATION),
        _value_column("reason", ColumnType("MEDIUMTEXT"), TEXT_COLLATION),
        _value_column("write", ColumnType("LONGTEXT"), TEXT_COLLATION),
        _value_column("object_key", ColumnType("VARCHAR", length=512), TEXT_COLLATION),
        _value_column("line", _COUNT),
        **_OPTIONS,
    )


def _add_marks(schema: MetaData) -> None:
    Table(
        "marks",
        schema,
        _key_column("name", ColumnType("VARCHAR", length=16), ASCII_COLLATION),
        _value_column("version", ColumnType("CHAR", length=26), ASCII_COLLATION),
        **_OPTIONS,
    )


def _add_exclusions(schema: MetaData) -> None:
    Table(
        "exclusions",
        schema,
        _key_column("execution", ColumnType("VARCHAR", length=80), ASCII_COLLATION),
        _value_column("rules", ColumnType("LONGTEXT"), TEXT_COLLATION),
        _value_column("reason", ColumnType("MEDIUMTEXT"), TEXT_COLLATION),
        _value_column("made_at", _TIME),
        **_OPTIONS,
    )


def _add_migrations(schema: MetaData) -> None:
    Table(
        "migrations",
        schema,
        _key_column("deployment", ColumnType("CHAR", length=64), ASCII_COLLATION),
        _value_column("migrated_at", _TIME),
        _value_column("changes", ColumnType("MEDIUMTEXT"), TEXT_COLLATION),
        **_OPTIONS,
    )


def _key_column(name: str, type_: ColumnType, collation: str | None, comment: str | None = None) -> Column[Any]:
    return Column(name, DeclaredType(type_, collation), primary_key=True, autoincrement=False, comment=comment)


def _value_column(name: str, type_: ColumnType, collation: str | None = None) -> Column[Any]:
    return Column(name, DeclaredType(type_, collation), nullable=False)


def build_statements(allowed: Iterable[Difference], declared: MetaData) -> list[Statement]:
    """The new tables in the schema's order, then one ALTER per table and kind of change."""
    allowed = list(allowed)
    missing = {difference.table for difference in allowed if isinstance(difference, MissingTable)}
    created = [
        Statement(_render(CreateTable(table)), f"create table {table.name}")
        for table in declared.tables.values()
        if table.name in missing
    ]
    return [*created, *_build_alters(allowed, declared)]


def _build_alters(allowed: list[Difference], declared: MetaData) -> Iterator[Statement]:
    # A separate statement for each kind: adding a column is instant, but widening one may rewrite the table.
    for kind in (MissingColumn, ChangedColumn, MissingIndex):
        of_kind = sorted((d for d in allowed if isinstance(d, kind)), key=attrgetter("table"))
        for table, group in groupby(of_kind, attrgetter("table")):
            differences = list(group)
            clauses, words = zip(*(_build_clause(difference, declared) for difference in differences), strict=True)
            copies = any(isinstance(difference, ChangedColumn) and _copies(difference) for difference in differences)
            sql, description = f"ALTER TABLE {_QUOTE(table)} {', '.join(clauses)}", f"alter {table}: {', '.join(words)}"
            yield Statement(sql, description, table, copies)


def _copies(change: ChangedColumn) -> bool:
    """Whether MariaDB copies the table: not for a comment, and for a longer VARCHAR only if it needs more length bytes.

    InnoDB stores a length below 128 in one byte in any case, and one up to 255 only if the column can't be longer.
    """
    before, after = change.before.type, change.after.type
    if before.name == after.name == "VARCHAR":
        width = 1 if (change.after.collation or "").startswith("ascii") else 4
        return 128 <= width * (before.length or 0) <= 255 < width * (after.length or 0)
    return before != after


def _build_clause(difference: Difference, declared: MetaData) -> tuple[str, str]:
    match difference:
        case MissingColumn(table, name, after):
            column = declared.tables[table].columns[name]
            return f"ADD COLUMN {_render(CreateColumn(column))}", f"add {name} {after.type.ddl}"
        case ChangedColumn(table, name, before, after):
            column = declared.tables[table].columns[name]
            change = f"{before.type.ddl} to {after.type.ddl}" if before.type != after.type else f"to {after.comment}"
            return f"MODIFY COLUMN {_render(CreateColumn(column))}", f"change {name} {change}"
        case MissingIndex(table, name):
            index = next(index for index in declared.tables[table].indexes if index.name == name)
            columns = ", ".join(_QUOTE(column.name) for column in index.columns)
            return f"ADD INDEX {_QUOTE(name)} ({columns})", f"add index {name}"
    raise TypeError(f"{difference} has no statement")


def _render(element: CreateTable | CreateColumn) -> str:
    return " ".join(str(element.compile(dialect=_DIALECT)).split())
