"""The schema itself: there, in the right collation, and migrated by one run at a time."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pymysql

from sluice.migrating.execution import Executor
from sluice.migrating.failures import MigrationFailed
from sluice.migrating.shapes import TEXT
from sluice.schemas import lock_of


def collation_of(executor: Executor, schema: str) -> str | None:
    """The schema's default collation, or None when there is no such schema."""
    rows = executor.run(
        "SELECT default_collation_name FROM information_schema.schemata WHERE schema_name = %s", (schema,)
    )
    return str(rows[0][0]) if rows else None


def ensure_schema(executor: Executor, schema: str) -> list[str]:
    """Make the schema, or give it the collation that new tables shall have; say what was done."""
    collation = collation_of(executor, schema)
    if collation is None:
        executor.run(f"CREATE DATABASE {quoted(schema)} CHARACTER SET utf8mb4 COLLATE {TEXT}")
        return [f"create schema {schema}"]
    if collation != TEXT:
        executor.run(f"ALTER DATABASE {quoted(schema)} CHARACTER SET utf8mb4 COLLATE {TEXT}")
        return [f"change the collation of schema {schema} from {collation} to {TEXT}"]
    return []


@contextmanager
def alone(executor: Executor, schema: str, seconds: float) -> Iterator[None]:
    """One migration of a schema at a time. The server frees the lock when the connection ends, however it ends.

    Raises MigrationFailed when another one still runs after `seconds`.
    """
    name = lock_of(schema)
    if executor.run("SELECT GET_LOCK(%s, %s)", (name, max(seconds, 0))) != [(1,)]:
        raise MigrationFailed(
            f"Another migration of the schema {schema} is still running; deploy again when it is done."
        )
    try:
        yield
    finally:
        with suppress(pymysql.Error):  # with a broken connection, the lock is free already
            executor.run("DO RELEASE_LOCK(%s)", (name,))


def quoted(name: str) -> str:
    """A name as SQL takes it, whatever is in it."""
    return "`" + name.replace("`", "``") + "`"
