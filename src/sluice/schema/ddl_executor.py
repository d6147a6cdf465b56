"""Run DDL on a live database: online where MariaDB can, under a lock, and with errors that an operator can act on."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import botocore.exceptions
import msgspec
import pymysql
from pymysql.connections import Connection
from pymysql.constants import ER

from sluice.db.errors import classify_error, get_error_number
from sluice.errors import (
    AccessDenied,
    AwsConnectionError,
    AwsError,
    DatabaseUnavailable,
    LockConflict,
    MigrationFailed,
    SchemaOutdated,
)
from sluice.model.schema_names import migration_lock_name

# Binary, so that case and accents count, and no-pad, so that trailing spaces count: two different texts of a client
# never compare as equal. utf8mb4_bin pads: it takes 'a' and 'a ' for the same text.
TEXT_COLLATION = "utf8mb4_nopad_bin"
# For texts that the service itself generates or checks: one byte a character keeps the keys short.
ASCII_COLLATION = "ascii_bin"

STATEMENT_TIMEOUT = 1969  # max_statement_time is exceeded

# How long the server may take to say that it ended a statement: then the reason is known, and no connection is lost.
ANSWER_SECONDS = 5

# How long a statement waits for a load that locks its table. Later loads queue behind the statement.
LOCK_WAIT_SECONDS = 30

_ERROR_TEXTS: dict[type[Exception], str] = {
    AccessDenied: "the database rejects the admin's credentials, or the admin lacks a privilege",
    DatabaseUnavailable: "the database is unreachable or accepts no changes now",
    LockConflict: "a load locked a table for too long; deploy again",
    SchemaOutdated: "the schema changed during the migration; deploy again",
}


@dataclass(frozen=True)
class Statement:
    """One DDL statement, and a description for operators.

    An ALTER names its `table`, and says whether it probably copies it. The server decides.
    """

    sql: str
    description: str
    table: str | None = None
    copies: bool = False


class Executor:
    """Executes statements on one connection until `deadline` (in `time.monotonic()` seconds)."""

    def __init__(self, connection: "Connection[Any]", deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline
        self.run(f"SET SESSION lock_wait_timeout = {LOCK_WAIT_SECONDS}")

    def run(self, sql: str, arguments: tuple[Any, ...] | None = None) -> list[tuple[Any, ...]]:
        """Execute a statement and return its rows. Raises pymysql's errors."""
        with self._connection.cursor() as cursor:
            cursor.execute(sql, arguments)
            return list(cursor.fetchall())

    def remaining_seconds(self) -> float:
        """The time that is left for statements. Raises MigrationFailed if there is less than one second."""
        seconds = self._deadline - time.monotonic()
        if seconds < 1:
            raise MigrationFailed("The time is over before every change was made; the next deploy makes the rest.")
        return seconds

    def run_until_deadline(self, sql: str, *, may_outlast: bool = False) -> None:
        """Execute DDL. At the deadline the server ends it, or with `may_outlast` goes on while the connection breaks.

        Raises MigrationFailed when no time is left, and pymysql's errors.
        """
        seconds = self.remaining_seconds()
        self.run(f"SET SESSION max_statement_time = {0 if may_outlast else seconds:.3f}")
        # How long PyMySQL waits for each answer. It offers no method.
        wait_seconds = seconds if may_outlast else seconds + ANSWER_SECONDS
        self._connection._read_timeout = wait_seconds  # type: ignore[attr-defined]
        self.run(sql)


def quote_name(name: str) -> str:
    """Quote an identifier for SQL."""
    return "`" + name.replace("`", "``") + "`"


def read_schema_collation(executor: Executor, schema: str) -> str | None:
    """The schema's default collation, or None when the schema does not exist."""
    rows = executor.run(
        "SELECT default_collation_name FROM information_schema.schemata WHERE schema_name = %s", (schema,)
    )
    return str(rows[0][0]) if rows else None


def ensure_schema(executor: Executor, schema: str) -> list[str]:
    """Create the schema, or give it the collation of new tables. Returns a description of each change."""
    collation = read_schema_collation(executor, schema)
    if collation is None:
        executor.run(f"CREATE DATABASE {quote_name(schema)} CHARACTER SET utf8mb4 COLLATE {TEXT_COLLATION}")
        return [f"create schema {schema}"]
    if collation != TEXT_COLLATION:
        executor.run(f"ALTER DATABASE {quote_name(schema)} CHARACTER SET utf8mb4 COLLATE {TEXT_COLLATION}")
        return [f"change the collation of schema {schema} from {collation} to {TEXT_COLLATION}"]
    return []


@contextmanager
def hold_migration_lock(executor: Executor, schema: str, seconds: float) -> Iterator[None]:
    """Let one migration of a schema run at a time. The server frees the lock when the connection ends.

    Raises MigrationFailed when another migration still runs after `seconds`.
    """
    name = migration_lock_name(schema)
    if executor.run("SELECT GET_LOCK(%s, %s)", (name, max(seconds, 0))) != [(1,)]:
        rows = executor.run("SELECT time FROM information_schema.processlist WHERE id = IS_USED_LOCK(%s)", (name,))
        duration = f", its statement for {rows[0][0]} seconds" if rows else ""
        raise MigrationFailed(
            f"Another migration of the schema {schema} is still running{duration}; deploy again after it."
        )
    try:
        yield
    finally:
        with suppress(pymysql.Error):  # a broken connection has freed the lock already
            executor.run("DO RELEASE_LOCK(%s)", (name,))


def explain_error(error: BaseException, action: str = "migrate the database") -> str:
    """Say in one sentence why an action failed. Never quotes a statement, a credential or data."""
    if isinstance(error, MigrationFailed):
        return str(error)
    # To a client an unreadable secret looks like an unavailable database; an operator has to fix the secret.
    cause = error.__cause__ if isinstance(error.__cause__, AwsError) else error
    return f"Could not {action}: {_describe_cause(cause)}."


def _describe_cause(error: BaseException) -> str:
    match error:
        case AccessDenied() | DatabaseUnavailable() | LockConflict() | SchemaOutdated():
            cause = f"{_ERROR_TEXTS[type(error)]} ({error})"
        case AwsConnectionError():
            cause = f"the secret could not be read from AWS ({error.code})"
        case AwsError():
            cause = f"AWS answered {error.code} to {error.operation}"
        case botocore.exceptions.ClientError():
            cause = f"AWS answered {error.response.get('Error', {}).get('Code', 'an error')} to {error.operation_name}"
        case botocore.exceptions.BotoCoreError():
            cause = f"the secret could not be read from AWS ({type(error).__name__})"
        case pymysql.Error() | OSError() if get_error_number(error) == STATEMENT_TIMEOUT:
            cause = "it took longer than the function's timeout; raise the timeout and deploy again"
        case pymysql.Error() | OSError():
            classified = classify_error(error)
            cause = _describe_cause(classified) if classified else _describe_server_error(error)
        case msgspec.MsgspecError():
            cause = "a database secret is not a JSON object with username and password"
        case TypeError() | RuntimeError() | ImportError() | SyntaxError() | NameError():
            # An invalid resource, or a missing setting or layer: these messages contain no data.
            cause = str(error)
        case _:
            cause = f"{type(error).__name__}; see the function's log"
    return cause


def _describe_server_error(error: Exception) -> str:
    # An error about a row can quote the row. An error about a table names only tables and columns.
    code, message, *_ = (*error.args, "", "")
    quotes_rows = isinstance(error, pymysql.DataError | pymysql.IntegrityError) or code == ER.PARSE_ERROR
    return f"MariaDB answered {type(error).__name__} {code}" + ("" if quotes_rows else f": {str(message).rstrip('.')}")
