"""The servers' side of a rotation: an account is given its new password, and seen to get in with it."""

import random
import time
from contextlib import closing

import msgspec
import pymysql
from pymysql.constants import ER

from sluice.aws.secrets import Credentials
from sluice.db import account_passwords as accounts
from sluice.db.connection import Connection, open_connection
from sluice.db.errors import classify_error
from sluice.errors import AccessDenied, DatabaseUnavailable, RotationFailed
from sluice.model.schema_names import migration_lock_name
from sluice.settings import DatabaseSettings

STATEMENT_SECONDS = 30


LOCK_SECONDS = 20


def allow_both_passwords(
    primary: DatabaseSettings, admin: Credentials, current: Credentials, pending: Credentials
) -> None:
    """Have the primary let an account in by two passwords and no other.

    Raises RotationFailed and the faults of `sluice.db.errors`.
    """
    # Entered without a schema, which a lost database does not have.
    server = msgspec.structs.replace(primary, database_name="")
    with closing(open_connection(server, admin, statement_timeout_seconds=STATEMENT_SECONDS)) as connection:
        try:
            # Against a migration, which may make the user anew. The lock goes with the connection.
            if not _query_value(
                connection, "SELECT GET_LOCK(%s, %s)", migration_lock_name(primary.database_name), LOCK_SECONDS
            ):
                raise RotationFailed("A migration is at work on the users; Secrets Manager tries again.")
            _set_passwords(
                connection,
                _find_account(connection, current),
                accounts.build_password_clause(current.password, pending.password),
            )
        except (pymysql.Error, OSError) as error:
            raise _explain_error(error) from None


def _set_passwords(connection: Connection, account: str, clause: str) -> None:
    if clause in _read_definition(connection, account):
        return
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER USER {account} {clause}")
    if clause not in _read_definition(connection, account):
        raise RotationFailed("MariaDB took the new password without a word and did not keep it.")


def _find_account(connection: Connection, who: Credentials) -> str:
    """The account by its full name: MariaDB passes over what ALTER USER CURRENT_USER() says of passwords."""
    name, _, host = str(_query_value(connection, "SELECT CURRENT_USER()")).rpartition("@")
    parts = (name, host) if name == who.username else (who.username, "%")
    return "@".join("`" + part.replace("`", "``") + "`" for part in parts)


def _read_definition(connection: Connection, account: str) -> str:
    return str(_query_value(connection, f"SHOW CREATE USER {account}"))


def _query_value(connection: Connection, statement: str, *values: object) -> object:
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        return cursor.fetchall()[0][0]


def _explain_error(error: pymysql.Error | OSError) -> Exception:
    if error.args and error.args[0] == ER.PASSWORD_NO_MATCH:  # which is what MariaDB says of a user that is not there
        return RotationFailed("The database has no such user; run the migrate function, which makes it.")
    return classify_error(error) or error


def wait_for_login(place: DatabaseSettings, who: Credentials, patience: float) -> None:
    """Return once a server lets the credentials in: a replica does when it has come so far.

    Raises AccessDenied or DatabaseUnavailable after `patience` seconds.
    """
    deadline, pause = time.monotonic() + patience, 0.1
    while True:
        try:
            open_connection(place, who, statement_timeout_seconds=STATEMENT_SECONDS).close()
        except (AccessDenied, DatabaseUnavailable):
            left = deadline - time.monotonic()
            if left <= 0:
                raise
            time.sleep(min(left, random.uniform(pause / 2, pause)))  # noqa: S311  jitter
            pause = min(pause * 1.5, 2.0)
        else:
            return
