"""The loader and the reader: made from their secrets, and allowed no more than their work."""

from dataclasses import dataclass, field

import pymysql
from pymysql.constants import ER

from sluice.aws.secrets import Credentials
from sluice.db import account_passwords as accounts
from sluice.errors import MigrationFailed
from sluice.model.schema_names import shadow_schema_name
from sluice.schema.ddl_executor import Executor, explain_error, quote_name

LOADER_PRIVILEGES = "SELECT, INSERT, UPDATE, DELETE, CREATE TEMPORARY TABLES"


READER_PRIVILEGES = "SELECT"


@dataclass(frozen=True)
class DatabaseUser:
    """A user to be: `privileges` hold on the one schema, and on the shadow that a rebuild fills for it."""

    role: str
    credentials: Credentials = field(repr=False)
    privileges: str


def ensure_users(executor: Executor, schema: str, users: tuple[DatabaseUser, ...]) -> list[str]:
    """Make or correct each user; say what was done. Raises MigrationFailed with a sentence, without any secret."""
    names = [user.credentials.username for user in users]
    own = executor.run("SELECT SUBSTRING_INDEX(CURRENT_USER(), '@', 1)")[0][0]
    if len({*names, own}) <= len(names):
        raise MigrationFailed("The admin, the loader and the reader need three different user names in their secrets.")
    done = []
    for user in users:
        if not user.credentials.username or not user.credentials.password:
            raise MigrationFailed(f"The {user.role}'s secret needs a user name and a password.")
        try:
            done += _ensure_user(executor, schema, user)
        except pymysql.Error as error:
            raise MigrationFailed(explain_error(error, f"set up the {user.role}'s database user")) from None
    return done


def _ensure_user(executor: Executor, schema: str, user: DatabaseUser) -> list[str]:
    account = f"{quote_name(user.credentials.username)}@`%`"
    wanted = {
        f"GRANT {user.privileges} ON {_escape_schema(one)}.* TO {account}"
        for one in (schema, shadow_schema_name(schema))
    }
    found, grants = _read_account(executor, account)
    # The password that a rotation has put beside the secret's stays: it may be the secret's in a moment.
    identity = f"{account} {accounts.choose_password_clause(found or '', user.credentials.password)} REQUIRE SSL"
    if grants != wanted:
        # Whatever else the account was given, roles too, goes with the account that is replaced. Between these
        # statements it can do nothing: a load in that moment is retried.
        executor.run(f"CREATE OR REPLACE USER {identity}")
        for grant in sorted(wanted):
            executor.run(grant)
        return [f"{'replace' if found else 'create'} the {user.role}'s database user and grant {user.privileges}"]
    if found != f"CREATE USER {identity}":
        executor.run(f"ALTER USER {identity}")
        return [f"renew the {user.role}'s password"]
    return []


def _read_account(executor: Executor, account: str) -> tuple[str | None, set[str]]:
    """How the account was made and what it was granted besides the right to connect; None when there is none."""
    try:
        made = executor.run(f"SHOW CREATE USER {account}")[0][0]
    except pymysql.OperationalError as error:
        if error.args[0] != ER.PASSWORD_NO_MATCH:  # which is what MariaDB says of a user that is not there
            raise
        return None, set()
    grants = {str(row[0]) for row in executor.run(f"SHOW GRANTS FOR {account}")}
    return str(made), {grant for grant in grants if not grant.startswith("GRANT USAGE ON *.* ")}


def _escape_schema(schema: str) -> str:
    # In a grant, _ and % stand for other characters: unescaped, the user would reach schemas of similar names.
    return quote_name(schema.replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%"))
