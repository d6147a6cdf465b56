"""The service's schema dumped and loaded with MariaDB's own programs, as an administrator does it, over TLS."""

import subprocess
from pathlib import Path

from local.database.installation import find_program
from local.stack import Stack

SCHEMA = "sluice"


def dump_database(stack: Stack, to: Path) -> None:
    """Dump as of one moment, while loads go on: rows, ledger and marks are of the same transactions."""
    with to.open("wb") as file:
        _run(stack, "mariadb-dump", "--single-transaction", SCHEMA, stdout=file)


def load_dump(stack: Stack, dumped: Path) -> None:
    """Load a dump in place of what the primary has; the schema is made when there is none."""
    with stack.pair.primary.connect(*stack.pair.admin_credentials) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE IF NOT EXISTS {SCHEMA} CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin")
    with dumped.open("rb") as file:
        _run(stack, "mariadb", SCHEMA, stdin=file)


def _run(stack: Stack, name: str, *words: str, **streams: object) -> None:
    user, password = stack.pair.admin_credentials
    subprocess.run(
        [
            find_program(name),
            "--no-defaults",
            f"--host={stack.pair.primary.host}",
            f"--port={stack.pair.primary.port}",
            f"--user={user}",
            "--protocol=tcp",
            f"--ssl-ca={stack.pair.ca}",
            "--ssl-verify-server-cert",
            "--default-character-set=utf8mb4",
            *words,
        ],
        env={"MYSQL_PWD": password},
        check=True,
        timeout=120,
        **streams,  # type: ignore[call-overload]
    )
