"""Loads and reads continue while passwords are rotated and connections are killed between any two steps."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest

from local.database import DatabaseServers
from sluice.aws.secrets import read_credentials
from sluice.db.connection import Connection, Database
from sluice.errors import AccessDenied
from sluice.load.loader import Loader
from sluice.settings import DatabaseSettings
from testkit.emulator_harness import wait_until
from tests.database.rig import Rig
from tests.database.rotation_rig import STEPS, Accounts, Vault, vault
from tests.database.things import put


class CountingDatabase(Database):
    """Counts the refused connections."""

    refused = 0

    def _open_connection(self) -> Connection:
        try:
            return super()._open_connection()
        except AccessDenied:
            self.refused += 1
            raise


class Worker:
    """Repeats its work over one connection. It holds `between` while it is idle."""

    def __init__(self, database: CountingDatabase, work: Callable[[CountingDatabase], object]) -> None:
        self.database = database
        self.between = threading.Lock()
        self.done = 0
        self.most_refused = 0
        self.errors: list[BaseException] = []
        self._work = work
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(0.005):
            with self.between:
                before = self.database.refused
                try:
                    self._work(self.database)
                except BaseException as error:  # noqa: BLE001  the test checks it
                    self.errors.append(error)
                self.most_refused = max(self.most_refused, self.database.refused - before)
                self.done += 1

    def wait_for_work(self) -> None:
        """Return when it has done its work once more."""
        goal = self.done + 2
        wait_until(lambda: self.done >= goal, 20)

    def end(self) -> None:
        self._stop.set()
        self._thread.join()
        self.database.drop_connection()


@pytest.fixture(scope="module")
def shared_vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    with vault(tmp_path_factory.mktemp("vault")) as opened:
        yield opened


@pytest.fixture
def accounts(
    servers: DatabaseServers, rig: Rig, shared_vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Accounts]:
    monkeypatch.setattr("sluice.db.connection.read_credentials", read_credentials)  # replaces the rig's
    accounts = Accounts(servers, rig.database._settings.database_name, shared_vault)
    yield accounts
    accounts.drop()


@contextmanager
def run_workers(workers: dict[str, Worker]) -> Iterator[None]:
    try:
        yield
    finally:
        for worker in workers.values():
            worker.end()


def create_worker(
    accounts: Accounts, place: DatabaseSettings, role: str, work: Callable[[CountingDatabase], object]
) -> Worker:
    settings = msgspec.structs.replace(place, database_secret_arn=accounts.arns[role])
    return Worker(CountingDatabase(settings, statement_timeout_seconds=30, for_loading=role == "loader"), work)


def kill(accounts: Accounts, workers: dict[str, Worker]) -> None:
    """Kill every worker's connection while it is idle: retrying an interrupted load is the workflow's task."""
    for server in (accounts.servers.primary, accounts.servers.replica):
        with server.connect_as_root() as connection, connection.cursor() as cursor:
            for worker in workers.values():
                with worker.between:
                    cursor.execute(
                        "SELECT id FROM information_schema.processlist WHERE user IN (%s, %s)",
                        (accounts.names["loader"], accounts.names["reader"]),
                    )
                    connection_ids: list[Any] = [row[0] for row in cursor.fetchall()]
                    mine: Any = worker.database._connection
                    if mine is not None and mine.thread_id() in connection_ids and mine.port == server.port:
                        cursor.execute("KILL %s", (mine.thread_id(),))


def test_no_load_and_no_read_fails(accounts: Accounts, rig: Rig) -> None:
    accounts.servers.wait_for_replicas()

    def load(database: CountingDatabase) -> None:
        key = rig.objects.put(f"batches/{threading.get_ident()}-{len(rig.objects.content)}", [put({"label": "x"})])
        assert Loader(database, rig.resources, rig.objects.open).load_batch("bucket", key).status == "loaded"

    def read(database: CountingDatabase) -> None:
        assert database.query("SELECT COUNT(*) AS n FROM things", ())

    workers = {
        "load": create_worker(accounts, accounts.primary, "loader", load),
        "read": create_worker(accounts, accounts.replicas[0], "reader", read),
        "plan": create_worker(accounts, accounts.primary, "reader", read),
    }
    with run_workers(workers):
        for _ in range(3):
            for role in ("loader", "reader"):
                rotation = accounts.begin(role)
                for step in STEPS:
                    rotation.run_step(step)
                    kill(accounts, workers)
                    for worker in workers.values():
                        worker.wait_for_work()
    assert {name: worker.errors for name, worker in workers.items()} == {"load": [], "read": [], "plan": []}
    # The first rotation keeps the password that the workers use. Each later one ends it, and they read the secret again
    # once.
    assert {name: (worker.database.refused, worker.most_refused) for name, worker in workers.items()} == {
        "load": (2, 1),
        "read": (2, 1),
        "plan": (2, 1),
    }
    loaded = rig.rows("SELECT COUNT(*) AS n FROM loaded_batches")[0]["n"]
    assert loaded == workers["load"].done > 24
