"""The database accounts of a rotation: give an account two passwords, and check that a server accepts a password."""

import random
import time
from contextlib import closing

import msgspec
import pymysql
from pymysql.constants import ER

from sluice.aws.secrets import Credentials
from sluice.db.account_passwords import build_password_clause
from sluice.db.connection import Connection, open_connection
from sluice.db.errors import classify_error
from sluice.errors import AccessDenied, DatabaseUnavailable, RotationFailed
from sluice.model.schema_names import migration_lock_name
from sluice.settings import DatabaseSettings

STATEMENT_TIMEOUT_SECONDS = 30
LOCK_SECONDS = 20


def allow_both_passwords(
    primary: DatabaseSettings, admin: Credentials, current: Credentials, pending: Credentials
) -> None:
    """Make an account accept its current and its pending password, and no other.

    Raises RotationFailed and the database errors of `sluice.errors`.
    """
    # Connect without a schema: a lost database has none.
    server = msgspec.structs.replace(primary, database_name="")
    with closing(open_connection(server, admin, statement_timeout_seconds=STATEMENT_TIMEOUT_SECONDS)) as connection:
        try:
            # A migration may replace the user meanwhile. The lock ends with the connection.
            lock = migration_lock_name(primary.database_name)
            if not _query_value(connection, "SELECT GET_LOCK(%s, %s)", lock, LOCK_SECONDS):
                raise RotationFailed("A migration is changing the users; Secrets Manager retries the rotation.")
            clause = build_password_clause(current.password, pending.password)
            _set_passwords(connection, _find_account(connection, current), clause)
        except (pymysql.Error, OSError) as error:
            raise _explain_error(error) from None


def _set_passwords(connection: Connection, account: str, clause: str) -> None:
    if clause in _read_definition(connection, account):
        return
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER USER {account} {clause}")
    if clause not in _read_definition(connection, account):
        raise RotationFailed("MariaDB accepted the new password without an error, but did not store it.")


def _find_account(connection: Connection, credentials: Credentials) -> str:
    """The account's full name: MariaDB ignores the passwords in ALTER USER CURRENT_USER()."""
    name, _, host = str(_query_value(connection, "SELECT CURRENT_USER()")).rpartition("@")
    parts = (name, host) if name == credentials.username else (credentials.username, "%")
    return "@".join("`" + part.replace("`", "``") + "`" for part in parts)


def _read_definition(connection: Connection, account: str) -> str:
    return str(_query_value(connection, f"SHOW CREATE USER {account}"))


def _query_value(connection: Connection, statement: str, *values: object) -> object:
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        return cursor.fetchall()[0][0]


def _explain_error(error: pymysql.Error | OSError) -> Exception:
    if error.args and error.args[0] == ER.PASSWORD_NO_MATCH:  # MariaDB's error for an unknown user
        return RotationFailed("The database has no such user; run the migrate function, which creates it.")
    return classify_error(error) or error


def wait_for_login(server: DatabaseSettings, credentials: Credentials, wait_seconds: float) -> None:
    """Return as soon as a server accepts the credentials: a replica does when the new password is replicated.

    Raises AccessDenied or DatabaseUnavailable after `wait_seconds`.
    """
    deadline, pause = time.monotonic() + wait_seconds, 0.1
    while True:
        try:
            open_connection(server, credentials, statement_timeout_seconds=STATEMENT_TIMEOUT_SECONDS).close()
        except (AccessDenied, DatabaseUnavailable):
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise
            time.sleep(min(remaining, random.uniform(pause / 2, pause)))  # noqa: S311  jitter
            pause = min(pause * 1.5, 2.0)
        else:
            return
