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


@dataclass(frozen=True)
class MissingTable:
    table: str


@dataclass(frozen=True)
class UnmanagedTable:
    table: str


@dataclass(frozen=True)
class MissingColumn:
    table: str
    column: str
    after: ColumnShape


@dataclass(frozen=True)
class UnmanagedColumn:
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
    """The table's comment: `private` or `shared`."""

    table: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class MissingIndex:
    table: str
    index: str


@dataclass(frozen=True)
class UnmanagedIndex:
    """An index or constraint that no resource asks for, or that differs from what is asked for under its name."""

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


logging.getLogger("alembic").setLevel(logging.WARNING)


def compare_schema(driver_connection: Any, declared: MetaData) -> list[Difference]:
    """What differs in the schema that a PyMySQL connection is in. The connection stays open, and the caller's."""
    engine = create_engine("mariadb+pymysql://", creator=lambda: driver_connection, poolclass=StaticPool)
    with engine.connect() as connection:
        return list(Comparison(connection, declared).find_differences())


class Comparison:
    """One comparison; keeps the shapes that alembic shows of each pair of columns."""

    def __init__(self, connection: Connection, declared: MetaData) -> None:
        self._connection = connection
        self._declared = declared
        self._changed: dict[tuple[str, str], ChangedColumn] = {}

    def find_differences(self) -> Iterator[Difference]:
        context = MigrationContext.configure(self._connection, opts={"compare_type": self._compare_column})
        found = compare_metadata(context, self._declared)
        for entry in found:
            # alembic lists a column's changes together; `_look` has them all already.
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
            case (("remove_index" | "remove_constraint" | "remove_fk"), thing) if (
                thing.table.name in self._declared.tables
            ):
                unique = isinstance(thing, UniqueConstraint) or bool(getattr(thing, "unique", False))
                yield UnmanagedIndex(thing.table.name, thing.name, unique)


def _read_table_collation(column: Column[Any]) -> str | None:
    collation = column.table.dialect_kwargs.get("mariadb_collate")
    return str(collation) if collation else None
