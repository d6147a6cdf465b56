"""The accounts that root creates: the admin (as on RDS) and the replication account."""

import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from local.database.server import DatabaseServer

# The privileges of the master user of an RDS MariaDB instance: neither SUPER nor FILE.
_ADMIN_PRIVILEGES = (
    "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, RELOAD, PROCESS, REFERENCES, INDEX, ALTER, SHOW DATABASES,"
    " CREATE TEMPORARY TABLES, LOCK TABLES, EXECUTE, REPLICATION CLIENT, CREATE VIEW, SHOW VIEW, CREATE ROUTINE,"
    " ALTER ROUTINE, CREATE USER, EVENT, TRIGGER, REPLICATION SLAVE"
)


@dataclass(frozen=True)
class Account:
    username: str
    password: str


def load_or_create_account(path: Path, username: str) -> Account:
    """The account in the file `path`. The first call creates the file with a random password."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(json.dumps(asdict(Account(username, secrets.token_urlsafe(24)))))
    return Account(**json.loads(path.read_text()))


def ensure_accounts(primary: DatabaseServer, *, admin: Account, replication: Account) -> None:
    """Create the accounts; replication copies them to the replica. The servers require TLS, as on RDS."""
    with primary.connect_as_root() as connection, connection.cursor() as cursor:
        for account, privileges, option in (
            (replication, "REPLICATION SLAVE", ""),
            (admin, _ADMIN_PRIVILEGES, " WITH GRANT OPTION"),
        ):
            if cursor.execute("SELECT 1 FROM mysql.global_priv WHERE User = %s", (account.username,)):
                continue
            cursor.execute(
                f"GRANT {privileges} ON *.* TO %s@'%%' IDENTIFIED BY %s{option}", (account.username, account.password)
            )
