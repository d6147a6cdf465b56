"""Dump and load the schema of the service with MariaDB's own programs over TLS, as an administrator does."""

import subprocess
from pathlib import Path

from local.database.installation import find_program
from local.stack import Stack

SCHEMA = "sluice"


def dump_database(stack: Stack, target: Path) -> None:
    """Write a consistent dump while loads continue: rows, ledger and high-water marks match each other."""
    with target.open("wb") as file:
        _run(stack, "mariadb-dump", "--single-transaction", SCHEMA, stdout=file)


def load_dump(stack: Stack, dump: Path) -> None:
    """Replace the tables of the primary with those of a dump; it creates the schema if necessary."""
    with stack.servers.primary.connect(*stack.servers.admin_credentials) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE IF NOT EXISTS {SCHEMA} CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin")
    with dump.open("rb") as file:
        _run(stack, "mariadb", SCHEMA, stdin=file)


def _run(stack: Stack, name: str, *arguments: str, **streams: object) -> None:
    user, password = stack.servers.admin_credentials
    subprocess.run(
        [
            find_program(name),
            "--no-defaults",
            f"--host={stack.servers.primary.host}",
            f"--port={stack.servers.primary.port}",
            f"--user={user}",
            "--protocol=tcp",
            f"--ssl-ca={stack.servers.ca}",
            "--ssl-verify-server-cert",
            "--default-character-set=utf8mb4",
            *arguments,
        ],
        env={"MYSQL_PWD": password},
        check=True,
        timeout=120,
        **streams,  # type: ignore[call-overload]
    )
