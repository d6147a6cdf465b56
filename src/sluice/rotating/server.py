"""The servers' side of a rotation: an account is given its new password, and seen to get in with it."""

import random
import time
from contextlib import closing

import msgspec
import pymysql
from pymysql.constants import ER

from sluice import accounts
from sluice.credentials import Credentials
from sluice.database import Connection, enter
from sluice.faults import AccessDenied, DatabaseAway, meaning
from sluice.rotating.failures import CannotRotate
from sluice.schemas import lock_of
from sluice.settings import DatabaseSettings

STATEMENT_SECONDS = 30
LOCK_SECONDS = 20


def let_in(primary: DatabaseSettings, admin: Credentials, current: Credentials, pending: Credentials) -> None:
    """Have the primary let an account in by two passwords and no other.

    Raises CannotRotate and the faults of `sluice.faults`.
    """
    # Entered without a schema, which a lost database does not have.
    server = msgspec.structs.replace(primary, database_name="")
    with closing(enter(server, admin, statement_seconds=STATEMENT_SECONDS)) as connection:
        try:
            # Against a migration, which may make the user anew. The lock goes with the connection.
            if not _value(connection, "SELECT GET_LOCK(%s, %s)", lock_of(primary.database_name), LOCK_SECONDS):
                raise CannotRotate("A migration is at work on the users; Secrets Manager tries again.")
            _let_in(connection, _account(connection, current), accounts.identified(current.password, pending.password))
        except (pymysql.Error, OSError) as error:
            raise _why(error) from None


def _let_in(connection: Connection, account: str, clause: str) -> None:
    if clause in _made(connection, account):
        return
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER USER {account} {clause}")
    if clause not in _made(connection, account):
        raise CannotRotate("MariaDB took the new password without a word and did not keep it.")


def _account(connection: Connection, who: Credentials) -> str:
    """The account by its full name: MariaDB passes over what ALTER USER CURRENT_USER() says of passwords."""
    name, _, host = str(_value(connection, "SELECT CURRENT_USER()")).rpartition("@")
    parts = (name, host) if name == who.username else (who.username, "%")
    return "@".join("`" + part.replace("`", "``") + "`" for part in parts)


def _made(connection: Connection, account: str) -> str:
    return str(_value(connection, f"SHOW CREATE USER {account}"))


def _value(connection: Connection, statement: str, *values: object) -> object:
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        return cursor.fetchall()[0][0]


def _why(error: pymysql.Error | OSError) -> Exception:
    if error.args and error.args[0] == ER.PASSWORD_NO_MATCH:  # which is what MariaDB says of a user that is not there
        return CannotRotate("The database has no such user; run the migrate function, which makes it.")
    return meaning(error) or error


def arrived(place: DatabaseSettings, who: Credentials, patience: float) -> None:
    """Return once a server lets the credentials in: a replica does when it has come so far.

    Raises AccessDenied or DatabaseAway after `patience` seconds.
    """
    deadline, pause = time.monotonic() + patience, 0.1
    while True:
        try:
            enter(place, who, statement_seconds=STATEMENT_SECONDS).close()
        except (AccessDenied, DatabaseAway):
            left = deadline - time.monotonic()
            if left <= 0:
                raise
            time.sleep(min(left, random.uniform(pause / 2, pause)))  # noqa: S311  jitter
            pause = min(pause * 1.5, 2.0)
        else:
            return
