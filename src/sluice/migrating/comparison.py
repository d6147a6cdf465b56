"""Compares the live schema with the declared one by alembic, and says what it found in our own words."""

import logging
from collections.abc import Iterator
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Column, Connection, MetaData, UniqueConstraint, create_engine
from sqlalchemy.pool import StaticPool

from sluice.migrating.differences import (
    ChangedColumn,
    ChangedScope,
    Difference,
    MissingColumn,
    MissingIndex,
    MissingTable,
    StrayColumn,
    StrayIndex,
    StrayTable,
)
from sluice.migrating.shapes import Shape
from sluice.migrating.stored import shape_of

logging.getLogger("alembic").setLevel(logging.WARNING)


def compare(driver_connection: Any, declared: MetaData) -> list[Difference]:
    """What differs in the schema that a PyMySQL connection is in. The connection stays open, and the caller's."""
    engine = create_engine("mariadb+pymysql://", creator=lambda: driver_connection, poolclass=StaticPool)
    with engine.connect() as connection:
        return list(Comparison(connection, declared).differences())


class Comparison:
    """One comparison; keeps the shapes that alembic shows of each pair of columns."""

    def __init__(self, connection: Connection, declared: MetaData) -> None:
        self._connection = connection
        self._declared = declared
        self._changed: dict[tuple[str, str], ChangedColumn] = {}

    def differences(self) -> Iterator[Difference]:
        context = MigrationContext.configure(self._connection, opts={"compare_type": self._look})
        found = compare_metadata(context, self._declared)
        for entry in found:
            # alembic lists a column's changes together; `_look` has them all already.
            if not isinstance(entry, list):
                yield from self._named(entry)
        yield from self._changed.values()

    def _look(self, _context: Any, live: Column[Any], declared: Column[Any], *_types: Any) -> bool:
        before = shape_of(live, _collation(live))
        after = shape_of(declared)
        if after.comment is None:
            before = Shape(before.type, before.collation, before.nullable)
        if before != after:
            self._changed[live.table.name, live.name] = ChangedColumn(live.table.name, live.name, before, after)
        return False

    def _named(self, entry: tuple[Any, ...]) -> Iterator[Difference]:
        match entry:
            case "add_table", table:
                yield MissingTable(table.name)
            case "remove_table", table:
                yield StrayTable(table.name)
            case "add_column", _, table, column:
                yield MissingColumn(table, column.name, shape_of(column))
            case "remove_column", _, table, column:
                yield StrayColumn(table, column.name, shape_of(column))
            case "add_table_comment", table, before:
                yield ChangedScope(table.name, before, table.comment)
            case "add_index", index:
                yield MissingIndex(index.table.name, index.name)
            case (("remove_index" | "remove_constraint" | "remove_fk"), thing) if (
                thing.table.name in self._declared.tables
            ):
                unique = isinstance(thing, UniqueConstraint) or bool(getattr(thing, "unique", False))
                yield StrayIndex(thing.table.name, thing.name, unique)


def _collation(column: Column[Any]) -> str | None:
    collation = column.table.dialect_kwargs.get("mariadb_collate")
    return str(collation) if collation else None
