"""A real primary and replica for the whole run, and a schema of its own for every test."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Protocol
from uuid import uuid4

import pytest
from pymysql.connections import Connection

from local.database import Pair, Server


class Connect(Protocol):
    def __call__(
        self, server: Server | None = None, account: tuple[str, str] | None = None, **options: Any
    ) -> "Connection[Any]":
        """Connect over TLS; without arguments: the admin, on the primary, in the test's schema."""
        ...


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    pair = Pair(tmp_path_factory.mktemp("pair"))
    pair.start()
    yield pair
    pair.stop()


@pytest.fixture
def database(pair: Pair) -> Iterator[str]:
    """The name of a new, empty schema on the primary; dropped after the test."""
    pair.start()
    name = f"test_{uuid4().hex}"
    with pair.primary.connect(*pair.admin) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin")
    yield name
    pair.start()
    with pair.primary.connect(*pair.admin) as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {name}")


@pytest.fixture
def connect(pair: Pair, database: str) -> Iterator[Connect]:
    with ExitStack() as opened:

        def connect(
            server: Server | None = None, account: tuple[str, str] | None = None, **options: Any
        ) -> "Connection[Any]":
            username, password = account or pair.admin
            connection = (server or pair.primary).connect(username, password, **{"database": database, **options})
            opened.callback(lambda: connection.close() if connection.open else None)
            return connection

        yield connect
