"""Compare the live schema with the declared one. Each kind of difference is one small class."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Column, Connection, MetaData, UniqueConstraint, create_engine
from sqlalchemy.pool import StaticPool

from sluice.schema.column_types import ColumnShape, read_shape

logging.getLogger("alembic").setLevel(logging.WARNING)


@dataclass(frozen=True)
class MissingTable:
    table: str


@dataclass(frozen=True)
class UnmanagedTable:
    """A table that no resource declares."""

    table: str


@dataclass(frozen=True)
class MissingColumn:
    table: str
    column: str
    after: ColumnShape


@dataclass(frozen=True)
class UnmanagedColumn:
    """A column that no field declares."""

    table: str
    column: str
    before: ColumnShape


@dataclass(frozen=True)
class ChangedColumn:
    table: str
    column: str
    before: ColumnShape
    after: ColumnShape


@dataclass(frozen=True)
class ChangedScope:
    """The scope is the table's comment: `private` or `shared`."""

    table: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class MissingIndex:
    table: str
    index: str


@dataclass(frozen=True)
class UnmanagedIndex:
    """An index or constraint that no resource declares, or that differs from the declared one of the same name."""

    table: str
    index: str
    unique: bool = False


Difference = (
    MissingTable
    | UnmanagedTable
    | MissingColumn
    | UnmanagedColumn
    | ChangedColumn
    | ChangedScope
    | MissingIndex
    | UnmanagedIndex
)


def compare_schema(driver_connection: Any, declared: MetaData) -> list[Difference]:
    """Compare the schema that a PyMySQL connection has selected. The connection stays open; the caller closes it."""
    engine = create_engine("mariadb+pymysql://", creator=lambda: driver_connection, poolclass=StaticPool)
    with engine.connect() as connection:
        return list(Comparison(connection, declared).find_differences())


class Comparison:
    """One comparison by alembic. It collects the shapes of each pair of columns that alembic compares."""

    def __init__(self, connection: Connection, declared: MetaData) -> None:
        self._connection = connection
        self._declared = declared
        self._changed: dict[tuple[str, str], ChangedColumn] = {}

    def find_differences(self) -> Iterator[Difference]:
        context = MigrationContext.configure(self._connection, opts={"compare_type": self._compare_column})
        for entry in compare_metadata(context, self._declared):
            # A list has the changes of one column; `_compare_column` has collected them already.
            if not isinstance(entry, list):
                yield from self._to_differences(entry)
        yield from self._changed.values()

    def _compare_column(self, _context: Any, live: Column[Any], declared: Column[Any], *_types: Any) -> bool:
        before = read_shape(live, _read_table_collation(live))
        after = read_shape(declared)
        if after.comment is None:
            before = ColumnShape(before.type, before.collation, before.nullable)
        if before != after:
            self._changed[live.table.name, live.name] = ChangedColumn(live.table.name, live.name, before, after)
        return False

    def _to_differences(self, entry: tuple[Any, ...]) -> Iterator[Difference]:
        match entry:
            case "add_table", table:
                yield MissingTable(table.name)
            case "remove_table", table:
                yield UnmanagedTable(table.name)
            case "add_column", _, table, column:
                yield MissingColumn(table, column.name, read_shape(column))
            case "remove_column", _, table, column:
                yield UnmanagedColumn(table, column.name, read_shape(column))
            case "add_table_comment", table, before:
                yield ChangedScope(table.name, before, table.comment)
            case "add_index", index:
                yield MissingIndex(index.table.name, index.name)
            case (("remove_index" | "remove_constraint" | "remove_fk"), removed) if (
                removed.table.name in self._declared.tables
            ):
                unique = isinstance(removed, UniqueConstraint) or bool(getattr(removed, "unique", False))
                yield UnmanagedIndex(removed.table.name, removed.name, unique)


def _read_table_collation(column: Column[Any]) -> str | None:
    collation = column.table.dialect_kwargs.get("mariadb_collate")
    return str(collation) if collation else None
