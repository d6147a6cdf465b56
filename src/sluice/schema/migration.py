"""A migration: compare, judge, and either change everything or nothing."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pymysql.connections import Connection
from sqlalchemy import MetaData

from sluice.errors import MigrationRefused
from sluice.model.resource import Resource
from sluice.schema import deployment_history as history
from sluice.schema.ddl import build_metadata, build_statements
from sluice.schema.ddl_executor import Executor, Statement, ensure_schema, hold_migration_lock, read_schema_collation
from sluice.schema.diff import Difference, MissingIndex, MissingTable, compare_schema
from sluice.schema.grants import DatabaseUser, ensure_users
from sluice.schema.rules import judge_differences

LOCK_SECONDS = 60.0


@dataclass(frozen=True)
class MigrationPlan:
    """What a migration would do (nothing, if there are refusals), and what it would leave alone."""

    statements: tuple[Statement, ...]
    refusals: tuple[str, ...]
    notices: tuple[str, ...]


@dataclass(frozen=True)
class MigrationResult:
    """What a migration did, in words, and what it left alone."""

    done: tuple[str, ...]
    notices: tuple[str, ...]


class Migration:
    """Brings one schema of a server to what the resources say.

    `connection` is the admin's, committing by itself, in any schema or none; `deadline` is in `time.monotonic()`
    seconds. Raises MigrationFailed with a sentence, or pymysql's errors (see `failures.sentence`).
    """

    def __init__(
        self, connection: "Connection[Any]", schema: str, resources: Iterable[Resource], deadline: float
    ) -> None:
        self._connection = connection
        self._executor = Executor(connection, deadline)
        self._schema = schema
        self._declared = build_metadata(resources)

    def plan(self) -> MigrationPlan:
        """Compare and judge; changes nothing."""
        judgement = judge_differences(self._differences(self._declared))
        return MigrationPlan(
            tuple(build_statements(judgement.allowed, self._declared)), judgement.refusals, judgement.notices
        )

    def run(self, users: Callable[[], tuple[DatabaseUser, ...]], deployment: str | None = None) -> MigrationResult:
        """Migrate tables and users. Raises MigrationRefused, with every refusal, before anything is changed.

        `users` is asked once no other run, and no rotation of a password, can come between. For a `deployment` that
        was in force before, what would be refused is left as it is (see `history`).
        """
        with hold_migration_lock(self._executor, self._schema, LOCK_SECONDS):
            wanted = users()
            plan = self.plan()
            refusals, notices = plan.refusals, plan.notices
            if refusals and deployment and history.was_deployed(self._executor, self._schema, deployment):
                notices += tuple(f"Rolling back, so this is left as it is: {refusal}" for refusal in refusals)
                refusals = ()
            if refusals:
                raise MigrationRefused(refusals)
            done = ensure_schema(self._executor, self._schema)
            self._connection.select_db(self._schema)
            done += [self._executor.apply_statement(statement) for statement in plan.statements]
            done += ensure_users(self._executor, self._schema, wanted)
            if deployment:
                history.record_deployment(self._executor, deployment, done)
            return MigrationResult(tuple(done), notices)

    def _differences(self, declared: MetaData) -> list[Difference]:
        if read_schema_collation(self._executor, self._schema) is None:
            tables = declared.tables.values()
            indexes = [MissingIndex(table.name, str(index.name)) for table in tables for index in table.indexes]
            return [*(MissingTable(name) for name in declared.tables), *indexes]
        self._connection.select_db(self._schema)
        return compare_schema(self._connection, declared)
