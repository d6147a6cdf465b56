"""Migrate a schema: compare, judge, and then make either every change or none."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pymysql.connections import Connection
from sqlalchemy import MetaData

from sluice.cache.epoch import EpochRow
from sluice.db.moment import SELECT_MOMENT, create_moment_statement
from sluice.errors import MigrationRefused
from sluice.model.resource import Resource
from sluice.schema.alter import alter_table, describe_long_copy
from sluice.schema.ddl import build_metadata, build_statements
from sluice.schema.ddl_executor import Executor, Statement, ensure_schema, hold_migration_lock, read_schema_collation
from sluice.schema.diff import Difference, MissingIndex, MissingTable, compare_schema
from sluice.schema.grants import DatabaseUser, ensure_users
from sluice.schema.rules import judge_differences

LOCK_SECONDS = 60.0


@dataclass(frozen=True)
class MigrationPlan:
    """The statements of a migration (none is executed if there are refusals), and notices of what stays unchanged."""

    statements: tuple[Statement, ...]
    refusals: tuple[str, ...]
    notices: tuple[str, ...]


@dataclass(frozen=True)
class MigrationResult:
    """A description of each change, and notices of what stays unchanged."""

    done: tuple[str, ...]
    notices: tuple[str, ...]


class Migration:
    """Brings one schema of a server to the state that the resources declare.

    `connection` is the admin's, with autocommit, and any schema or none may be selected. `deadline` is in
    `time.monotonic()` seconds. `allow_long` allows changes that make loads wait beyond it. Raises MigrationFailed with
    a sentence, or pymysql's errors (see `explain_error`).
    """

    def __init__(
        self,
        connection: "Connection[Any]",
        schema: str,
        resources: Iterable[Resource],
        deadline: float,
        *,
        allow_long: bool = False,
    ) -> None:
        self._connection = connection
        self._executor = Executor(connection, deadline)
        self._schema = schema
        self._declared = build_metadata(resources)
        self._allow_long = allow_long

    def plan(self) -> MigrationPlan:
        """Compare and judge. Changes nothing."""
        judgement = judge_differences(self._find_differences(self._declared))
        statements, refusals = [], list(judgement.refusals)
        for statement in build_statements(judgement.allowed, self._declared):
            if refusal := self._refuse_long_copy(statement):
                refusals.append(refusal)
            else:
                statements.append(statement)
        return MigrationPlan(tuple(statements), tuple(refusals), judgement.notices)

    def _refuse_long_copy(self, statement: Statement) -> str | None:
        if self._allow_long or not statement.copies:
            return None
        return describe_long_copy(self._executor, self._schema, statement)

    def run(
        self,
        read_users: Callable[[], tuple[DatabaseUser, ...]],
        deployment: str | None = None,
        *,
        is_rollback: bool = False,
        is_live: bool = True,
    ) -> MigrationResult:
        """Migrate tables and users. Raises MigrationRefused, with every refusal, before anything is changed.

        `read_users` is called under the lock, so that no rotation changes a password in between.

        A `deployment` that the schema was migrated for before comes back when CloudFormation rolls back: the earlier
        code meets the later schema. The earlier code can use it, but its migration would be refused, for example
        because it narrows a text or removes a field, and the stack would be stuck. So these differences stay unchanged.
        With `is_rollback`, the caller knows it; a restored database may have forgotten.

        A database that is not live gets no moment: that of a copy says what its backup has.
        """
        with hold_migration_lock(self._executor, self._schema, LOCK_SECONDS):
            users = read_users()
            plan = self.plan()
            refusals, notices = plan.refusals, plan.notices
            if refusals and (is_rollback or (deployment and self._was_deployed(deployment))):
                notices += tuple(f"This is a rollback, so the schema stays unchanged: {text}" for text in refusals)
                refusals = ()
            if refusals:
                raise MigrationRefused(refusals)
            changes = ensure_schema(self._executor, self._schema)
            self._connection.select_db(self._schema)
            changes += [self._apply(statement) for statement in plan.statements]
            changes += ensure_users(self._executor, self._schema, users)
            if is_live:
                changes += self._ensure_moment()
            if deployment:
                self._record_deployment(deployment, changes)
            return MigrationResult(tuple(changes), notices)

    def _apply(self, statement: Statement) -> str:
        if statement.table:
            return alter_table(self._executor, self._schema, statement, allow_long=self._allow_long)
        self._executor.run_until_deadline(statement.sql)
        return statement.description

    def _ensure_moment(self) -> list[str]:
        """Write the moment if there is none, so that already the first read names one. Return what was changed."""
        if self._executor.run(SELECT_MOMENT):
            return []
        self._executor.run(create_moment_statement("marks"), ())
        return ["write the first moment"]

    def _find_differences(self, declared: MetaData) -> list[Difference]:
        if read_schema_collation(self._executor, self._schema) is None:
            tables = declared.tables.values()
            indexes = [MissingIndex(table.name, str(index.name)) for table in tables for index in table.indexes]
            return [*(MissingTable(name) for name in declared.tables), *indexes]
        self._connection.select_db(self._schema)
        return compare_schema(self._connection, declared)

    def delete_cache_epoch(self) -> None:
        """Delete the epoch of the read cache: no entry is used until a load starts an epoch."""
        self._connection.select_db(self._schema)
        EpochRow(self._connection).delete_epoch()

    def _was_deployed(self, deployment: str) -> bool:
        """Whether a migration for this deployment was completed before."""
        has_table = self._executor.run(
            "SELECT 1 FROM information_schema.tables WHERE table_schema = %s AND table_name = 'migrations'",
            (self._schema,),
        )
        return bool(has_table and self._executor.run("SELECT 1 FROM migrations WHERE deployment = %s", (deployment,)))

    def _record_deployment(self, deployment: str, changes: list[str]) -> None:
        self._executor.run(
            "INSERT INTO migrations (deployment, migrated_at, changes) VALUES (%s, UTC_TIMESTAMP(6), %s) "
            "ON DUPLICATE KEY UPDATE migrated_at = VALUES(migrated_at), changes = VALUES(changes)",
            (deployment, "\n".join(changes)),
        )
