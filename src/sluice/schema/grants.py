"""Create the loader's and the reader's database users from their secrets, with only the privileges that they need."""

from dataclasses import dataclass, field

import pymysql
from pymysql.constants import ER

from sluice.aws.secrets import Credentials
from sluice.db.account_passwords import choose_password_clause
from sluice.errors import MigrationFailed
from sluice.model.schema_names import shadow_schema_name
from sluice.schema.ddl_executor import Executor, explain_error, quote_name

LOADER_PRIVILEGES = "SELECT, INSERT, UPDATE, DELETE, CREATE TEMPORARY TABLES"
READER_PRIVILEGES = "SELECT"


@dataclass(frozen=True)
class DatabaseUser:
    """A user to create: `privileges` apply to the live schema and to the shadow schema of a rebuild."""

    role: str
    credentials: Credentials = field(repr=False)
    privileges: str


def ensure_users(executor: Executor, schema: str, users: tuple[DatabaseUser, ...]) -> list[str]:
    """Create or correct each user, and return a description of each change.

    Raises MigrationFailed with a sentence that contains no secret.
    """
    names = [user.credentials.username for user in users]
    admin = executor.run("SELECT SUBSTRING_INDEX(CURRENT_USER(), '@', 1)")[0][0]
    if len({*names, admin}) <= len(names):
        raise MigrationFailed("The admin, the loader and the reader need three different user names in their secrets.")
    changes = []
    for user in users:
        if not user.credentials.username or not user.credentials.password:
            raise MigrationFailed(f"The {user.role}'s secret needs a user name and a password.")
        try:
            changes += _ensure_user(executor, schema, user)
        except pymysql.Error as error:
            raise MigrationFailed(explain_error(error, f"set up the {user.role}'s database user")) from None
    return changes


def _ensure_user(executor: Executor, schema: str, user: DatabaseUser) -> list[str]:
    account = f"{quote_name(user.credentials.username)}@`%`"
    grants = {
        f"GRANT {user.privileges} ON {_escape_schema(name)}.* TO {account}"
        for name in (schema, shadow_schema_name(schema))
    }
    definition, existing_grants = _read_account(executor, account)
    # A rotation adds a second password before it becomes the secret's: keep both.
    identity = f"{account} {choose_password_clause(definition or '', user.credentials.password)} REQUIRE SSL"
    if existing_grants != grants:
        # Replacing the account removes all its other privileges and roles. Until the last GRANT it has none; a load in
        # this moment fails and is retried.
        executor.run(f"CREATE OR REPLACE USER {identity}")
        for grant in sorted(grants):
            executor.run(grant)
        return [f"{'replace' if definition else 'create'} the {user.role}'s database user and grant {user.privileges}"]
    if definition != f"CREATE USER {identity}":
        executor.run(f"ALTER USER {identity}")
        return [f"renew the {user.role}'s password"]
    return []


def _read_account(executor: Executor, account: str) -> tuple[str | None, set[str]]:
    """The account's CREATE USER statement and its grants except USAGE. Without an account: None and no grants."""
    try:
        definition = executor.run(f"SHOW CREATE USER {account}")[0][0]
    except pymysql.OperationalError as error:
        if error.args[0] != ER.PASSWORD_NO_MATCH:  # MariaDB's error for an unknown user
            raise
        return None, set()
    grants = {str(row[0]) for row in executor.run(f"SHOW GRANTS FOR {account}")}
    return str(definition), {grant for grant in grants if not grant.startswith("GRANT USAGE ON *.* ")}


def _escape_schema(schema: str) -> str:
    # In a grant, _ and % are wildcards: unescaped, the user could access schemas with similar names.
    return quote_name(schema.replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%"))
