"""A local stack of its own for the whole run, deployed from the template, and clients of it."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest
from pymysql.connections import Connection

from local.process import LocalError, read_tail
from local.stack import Stack, down, up
from tests.memory import folder_in_memory


class Person(Protocol):
    def __call__(self, name: str, *groups: str) -> httpx.Client:
        """A client with the token of a person of that name, made when missing and put into the groups."""
        ...


@pytest.fixture(scope="session")
def memory() -> Iterator[Path]:
    with folder_in_memory() as folder:
        yield folder


@pytest.fixture(scope="session")
def stack_folder(memory: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("stack")
    try:
        yield folder
    finally:
        down(folder)


@pytest.fixture(scope="session")
def stack(stack_folder: Path, memory: Path) -> Stack:
    try:
        return up(stack_folder, memory_folder=memory)
    except LocalError as error:
        pytest.fail(f"{error}\n{read_tail(error.log) if error.log else ''}", pytrace=False)


@pytest.fixture
def client(stack: Stack) -> Iterator[Any]:
    """Makes an HTTP client of the API with the access token given, or with none."""
    with ExitStack() as opened:

        def make(token: str | None = None) -> httpx.Client:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            return opened.enter_context(
                # Proxies that the shell names are not for 127.0.0.1.
                httpx.Client(base_url=stack.api_url, headers=headers, timeout=60, trust_env=False)
            )

        yield make


@pytest.fixture(scope="session")
def machine_token(stack: Stack) -> str:
    return stack.machine_token()


@pytest.fixture
def machine(client: Any, machine_token: str) -> httpx.Client:
    """The API as the machine client sees it: every scope."""
    return client(machine_token)  # type: ignore[no-any-return]


@pytest.fixture
def person(client: Any, stack: Stack) -> Person:
    return lambda name, *groups: client(stack.person_token(name, groups))


@pytest.fixture
def primary(stack: Stack) -> Iterator["Connection[Any]"]:
    """The admin's connection to the service's schema on the primary; every statement commits by itself."""
    with stack.pair.primary.connect(*stack.pair.admin_credentials, database="sluice", autocommit=True) as connection:
        yield connection


@pytest.fixture
def replica(stack: Stack) -> Iterator["Connection[Any]"]:
    """The same on the replica, which takes no writes."""
    with stack.pair.replica.connect(*stack.pair.admin_credentials, database="sluice", autocommit=True) as connection:
        yield connection
