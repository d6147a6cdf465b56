"""Resources for a test, and queries of the schema."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from pymysql.connections import Connection

from local.database import DatabaseServers
from sluice.model.resource import Item, Resource, create_resource
from sluice.schema.grants import DatabaseUser
from sluice.schema.migration import Migration, MigrationPlan, MigrationResult

MIGRATION_SECONDS = 60.0


def notes(
    *,
    collection: str = "notes",
    key: str | None = None,
    private: bool = True,
    indexes: Sequence[str | Sequence[str]] = (),
    **fields: Any,
) -> Resource:
    """A resource with these fields: name=type, or name=(type, default)."""
    listed = [(name, *(field if isinstance(field, tuple) else (field,))) for name, field in fields.items()]
    model: Any = msgspec.defstruct("Note", listed, bases=(Item,), kw_only=True)
    return create_resource(model, collection, key=key, private=private, indexes=indexes)


def migration(connection: "Connection[Any]", schema: str, *resources: Resource) -> Migration:
    return Migration(connection, schema, resources, time.monotonic() + MIGRATION_SECONDS)


class Migrated:
    """A schema, the admin's connection to it, and helpers to migrate and inspect it."""

    def __init__(self, servers: DatabaseServers, schema: str, connect: Callable[..., "Connection[Any]"]) -> None:
        self.servers = servers
        self.schema = schema
        self.connect = connect
        self.admin = connect(autocommit=True)

    def run(
        self, *resources: Resource, users: tuple[DatabaseUser, ...] = (), deployment: str | None = None
    ) -> MigrationResult:
        return migration(self.connect(autocommit=True, database=None), self.schema, *resources).run(
            lambda: users, deployment
        )

    def plan(self, *resources: Resource) -> MigrationPlan:
        return migration(self.connect(autocommit=True, database=None), self.schema, *resources).plan()

    def sql(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with self.admin.cursor() as cursor:
            cursor.execute(statement, values or None)
            return list(cursor.fetchall())

    def binary_log_position(self) -> tuple[Any, ...]:
        """The position of the binary log: every change moves it."""
        return self.sql("SHOW MASTER STATUS")[0]

    def columns(self, table: str) -> dict[str, tuple[str, str | None, str, str]]:
        """Type, collation, NULL allowed and comment of each column."""
        rows = self.sql(
            "SELECT column_name, column_type, collation_name, is_nullable, column_comment FROM "
            "information_schema.columns WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position",
            self.schema,
            table,
        )
        return {row[0]: row[1:] for row in rows}

    def indexes(self, table: str) -> dict[str, list[str]]:
        """The columns of each index except the primary key."""
        columns: dict[str, list[str]] = {}
        for name, column in self.sql(
            "SELECT index_name, column_name FROM information_schema.statistics WHERE table_schema = %s AND "
            "table_name = %s AND index_name <> 'PRIMARY' ORDER BY index_name, seq_in_index",
            self.schema,
            table,
        ):
            columns.setdefault(name, []).append(column)
        return columns

    def tables(self) -> dict[str, str]:
        """The comment of each table."""
        rows = self.sql(
            "SELECT table_name, table_comment FROM information_schema.tables WHERE table_schema = %s", self.schema
        )
        return dict(rows)
