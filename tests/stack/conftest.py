"""The deployed stacks of the tests, clients of them, and connections to their databases."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Protocol

import httpx
import pytest
from pymysql.connections import Connection

from local.process import LocalError, read_tail
from local.stack import Stack, down, up
from ops.aws import Stack as OperatedStack
from ops.aws import choose_target
from ops.verify.access.names import read_names
from tests.memory import folder_in_memory


class Person(Protocol):
    def __call__(self, name: str, *groups: str) -> httpx.Client:
        """A client with the token of a person, who is created if necessary and added to the groups."""
        ...


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test the stack that its mark names."""
    if "stack" not in metafunc.fixturenames:
        return
    marker = metafunc.definition.get_closest_marker("stack")
    if marker is None:
        pytest.fail(f"{metafunc.definition.nodeid} needs a mark such as @pytest.mark.stack('first')", pytrace=False)
    name = marker.args[0]
    metafunc.parametrize("stack", [name], ids=[f"stack={name}"], indirect=True, scope="session")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack, deployed from the template. Tests whose marks name the same stack share it."""
    folder = tmp_path_factory.mktemp("stack")
    with folder_in_memory() as memory_folder:
        try:
            yield up(folder, memory_folder=memory_folder)
        except LocalError as error:
            pytest.fail(f"{error}\n{read_tail(error.log) if error.log else ''}", pytrace=False)
        finally:
            down(folder)


@pytest.fixture
def client(stack: Stack) -> Iterator[Any]:
    """Creates HTTP clients of the API, with an access token or without one."""
    with ExitStack() as clients:

        def create_client(token: str | None = None) -> httpx.Client:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            return clients.enter_context(
                # Ignore the proxies of the shell: they do not apply to 127.0.0.1.
                httpx.Client(base_url=stack.api_url, headers=headers, timeout=60, trust_env=False)
            )

        yield create_client


@pytest.fixture(scope="session")
def machine_token(stack: Stack) -> str:
    return stack.machine_token()


@pytest.fixture
def machine(client: Any, machine_token: str) -> httpx.Client:
    """A client with the token of the machine client, which has every scope."""
    return client(machine_token)  # type: ignore[no-any-return]


@pytest.fixture
def person(client: Any, stack: Stack) -> Person:
    return lambda name, *groups: client(stack.person_token(name, groups))


@pytest.fixture
def primary(stack: Stack) -> Iterator["Connection[Any]"]:
    """A connection of the admin to the service's schema on the primary, with autocommit."""
    credentials = stack.servers.admin_credentials
    with stack.servers.primary.connect(*credentials, database="sluice", autocommit=True) as connection:
        yield connection


@pytest.fixture
def replica(stack: Stack) -> Iterator["Connection[Any]"]:
    """The same on the replica, which accepts no writes."""
    credentials = stack.servers.admin_credentials
    with stack.servers.replica.connect(*credentials, database="sluice", autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def names(stack: Stack) -> dict[str, str]:
    """The names of the local stack in the tables. It has an existing database and an existing cache."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SLUICE_LOCAL", str(stack.folder.root))
        return read_names(OperatedStack(choose_target(None, None, None)))
