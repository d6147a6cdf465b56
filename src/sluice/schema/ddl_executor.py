"""Run DDL on a live database under the migration lock, and explain its errors in one sentence."""

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

# Binary, so that case and accents count, and no-pad, so that trailing spaces do: what a client wrote as two texts
# never compares as one. The padding utf8mb4_bin takes 'a' and 'a ' for the same.
TEXT_COLLATION = "utf8mb4_nopad_bin"


# For what the service itself makes or checks: one byte a character keeps the keys short.
ASCII_COLLATION = "ascii_bin"


# From the least to the most disturbing. INSTANT changes no row; INPLACE lets loads and reads go on; what needs a copy
# of the table (a text that becomes MEDIUMTEXT, a wider DECIMAL) lets reads go on and makes loads wait.
_ALGORITHMS = ("ALGORITHM=INSTANT", "ALGORITHM=INPLACE, LOCK=NONE", "ALGORITHM=COPY, LOCK=SHARED")


_UNSUPPORTED_ALGORITHM = {
    1845,
    1846,
}  # ER_ALTER_OPERATION_NOT_SUPPORTED and its _REASON, which PyMySQL has no names for


# How long a statement waits for a load that holds its table, in seconds. Loads that come later wait behind it.
LOCK_WAIT_SECONDS = 30


@dataclass(frozen=True)
class Statement:
    """One DDL statement, and what it does in words."""

    sql: str
    description: str

    @property
    def is_alter(self) -> bool:
        return self.sql.startswith("ALTER TABLE")


class Executor:
    """Executes statements on one connection until `deadline` (in `time.monotonic()` seconds)."""

    def __init__(self, connection: "Connection[Any]", deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline
        self.run(f"SET SESSION lock_wait_timeout = {LOCK_WAIT_SECONDS}")

    def run(self, sql: str, arguments: tuple[Any, ...] | None = None) -> list[tuple[Any, ...]]:
        """Execute and return the rows."""
        with self._connection.cursor() as cursor:
            cursor.execute(sql, arguments)
            return list(cursor.fetchall())

    def apply_statement(self, statement: Statement) -> str:
        """Execute DDL; return what it did, and how. Raises MigrationFailed when there is no time left to begin."""
        seconds = self._deadline - time.monotonic()
        if seconds < 1:
            raise MigrationFailed("The time is over before every change was made; the next deploy makes the rest.")
        self.run(f"SET SESSION max_statement_time = {seconds:.0f}")
        return self._apply(statement)

    def _apply(self, statement: Statement) -> str:
        if not statement.is_alter:
            self.run(statement.sql)
            return statement.description
        for way in _ALGORITHMS:
            try:
                self.run(f"{statement.sql}, {way}")
            except pymysql.Error as error:
                if error.args[0] not in _UNSUPPORTED_ALGORITHM:
                    raise
            else:
                return f"{statement.description} ({way})"
        raise MigrationFailed(f"MariaDB knows no way to {statement.description}.")


def read_schema_collation(executor: Executor, schema: str) -> str | None:
    """The schema's default collation, or None when there is no such schema."""
    rows = executor.run(
        "SELECT default_collation_name FROM information_schema.schemata WHERE schema_name = %s", (schema,)
    )
    return str(rows[0][0]) if rows else None


def ensure_schema(executor: Executor, schema: str) -> list[str]:
    """Make the schema, or give it the collation that new tables shall have; say what was done."""
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
    """One migration of a schema at a time. The server frees the lock when the connection ends, however it ends.

    Raises MigrationFailed when another one still runs after `seconds`.
    """
    name = migration_lock_name(schema)
    if executor.run("SELECT GET_LOCK(%s, %s)", (name, max(seconds, 0))) != [(1,)]:
        raise MigrationFailed(
            f"Another migration of the schema {schema} is still running; deploy again when it is done."
        )
    try:
        yield
    finally:
        with suppress(pymysql.Error):  # with a broken connection, the lock is free already
            executor.run("DO RELEASE_LOCK(%s)", (name,))


def quote_name(name: str) -> str:
    """A name as SQL takes it, whatever is in it."""
    return "`" + name.replace("`", "``") + "`"


STATEMENT_TIMEOUT = 1969  # max_statement_time is over


_ERROR_TEXTS: dict[type[Exception], str] = {
    AccessDenied: "the database does not accept the admin's credentials, or does not allow the admin this",
    DatabaseUnavailable: "the database cannot be reached, or takes no changes now",
    LockConflict: "a load held a table for too long; deploy again",
    SchemaOutdated: "the schema was changed meanwhile; deploy again",
}


def explain_error(error: BaseException, doing: str = "migrate the database") -> str:
    """Say what failed. Never quotes a statement, a credential or data."""
    if isinstance(error, MigrationFailed):
        return str(error)
    # A secret that could not be read is the database away to a client, and something else to mend for an operator.
    cause = error.__cause__ if isinstance(error.__cause__, AwsError) else error
    return f"Could not {doing}: {_describe_cause(cause)}."


def _describe_cause(error: BaseException) -> str:
    match error:
        case AccessDenied() | DatabaseUnavailable() | LockConflict() | SchemaOutdated():
            why = f"{_ERROR_TEXTS[type(error)]} ({error})"
        case AwsConnectionError():
            why = f"AWS could not be asked for a secret ({error.code})"
        case AwsError():
            why = f"AWS answered {error.code} to {error.operation}"
        case botocore.exceptions.ClientError():
            why = f"AWS answered {error.response.get('Error', {}).get('Code', 'an error')} to {error.operation_name}"
        case botocore.exceptions.BotoCoreError():
            why = f"AWS could not be asked for a secret ({type(error).__name__})"
        case pymysql.Error() | OSError() if get_error_number(error) == STATEMENT_TIMEOUT:
            why = "it took longer than the function may; raise its timeout and deploy again"
        case pymysql.Error() | OSError():
            fault = classify_error(error)
            why = _describe_cause(fault) if fault else _describe_server_error(error)
        case msgspec.MsgspecError():
            why = "a database secret is not a JSON object with username and password"
        case TypeError() | RuntimeError() | ImportError() | SyntaxError() | NameError():
            # A resource that cannot be served, a setting or a layer that is missing: these name no data.
            why = str(error)
        case _:
            why = f"{type(error).__name__}; the function's log says where"
    return why


def _describe_server_error(error: Exception) -> str:
    # What is about a row may quote it; what is about a table names tables and columns only.
    code, words, *_ = (*error.args, "", "")
    about_rows = isinstance(error, pymysql.DataError | pymysql.IntegrityError) or code == ER.PARSE_ERROR
    return f"MariaDB answered {type(error).__name__} {code}" + ("" if about_rows else f": {str(words).rstrip('.')}")
