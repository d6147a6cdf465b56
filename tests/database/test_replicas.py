"""Reads across three real replicas, of which one at a time fails, hangs, stands still, lags or is damaged."""

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager

import msgspec
import pytest

from local.cache import CacheServer
from local.database import DatabaseServers, ReplicaServer
from sluice.aws.secrets import Credentials
from sluice.cache.invalidation import CacheInvalidator
from sluice.cache.reader import CacheReader
from sluice.cache.valkey_client import ValkeyClient
from sluice.db.connection import Database
from sluice.db.moment import write_moment
from sluice.http.api_gateway import parse_request
from sluice.http.problem import Problem
from sluice.http.response import AS_OF_HEADER, Response
from sluice.load.loader import Loader
from sluice.model.record import Write
from sluice.query.read_router import ReadRouter
from sluice.query.replica_set import create_databases
from sluice.settings import CacheSettings
from tests.database.reading_rig import create_read_settings
from tests.database.rig import Rig
from tests.database.things import OWNER, delete, put
from tests.memory import folder_in_memory
from tests.unit.requesting import event

ITEMS = 6
READERS = 8
FAULT_SECONDS = 1.5

Fault = Callable[[ReplicaServer, str], AbstractContextManager[None]]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabaseServers]:
    """Servers of this module: it damages them."""
    with folder_in_memory() as memory:
        servers = DatabaseServers(tmp_path_factory.mktemp("three"), replicas=3, memory=memory)
        servers.start()
        yield servers
        servers.stop()


@pytest.fixture(scope="module")
def cache(servers: DatabaseServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CacheServer]:
    """A cache of this module, with a certificate of its servers' authority."""
    cache = CacheServer(tmp_path_factory.mktemp("cache"), servers.ca.parent)
    cache.start()
    yield cache
    cache.stop()


class Environment:
    """One environment of the read function, which one thread uses."""

    def __init__(self, rig: Rig, servers: DatabaseServers, cache: CacheReader | None = None) -> None:
        places = [
            msgspec.structs.replace(rig.database._settings, database_port=replica.port) for replica in servers.replicas
        ]
        self.databases = create_databases(places)
        self.router = ReadRouter(rig.resources, self.databases, create_read_settings(self.databases[0]), cache)

    def get(self, path: str, query: dict[str, str] | None = None, *, headers: dict[str, str] | None = None) -> Response:
        """Send a request. A problem becomes a response."""
        request = parse_request(event("GET", path, headers=headers, query=query, claims={"sub": OWNER}))
        try:
            return self.router.respond(request)
        except Problem as problem:
            return Response(problem.status, headers=problem.headers)

    def find_home(self, servers: DatabaseServers, write: Write) -> ReplicaServer:
        return self._find_home(servers, write.id)

    def _find_home(self, servers: DatabaseServers, id_or_query: str) -> ReplicaServer:
        [home, *_] = self.router.replicas.rank(f"things\n{OWNER}\n{id_or_query}")
        return next(server for server in servers.replicas if home.database.endpoint.endswith(f":{server.port}"))

    def find_list_home(self, servers: DatabaseServers) -> ReplicaServer:
        return self._find_home(servers, "")

    def close(self) -> None:
        for database in self.databases:
            database.drop_connection()


@pytest.fixture(autouse=True)
def metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    """A skipped replica is counted."""
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Sluice")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "sluice")


@pytest.fixture
def environment(rig: Rig, servers: DatabaseServers, primary: Database) -> Iterator[Environment]:
    write_moment(primary)
    created = Environment(rig, servers)
    yield created
    created.close()


def run(server: ReplicaServer, *statements: str) -> None:
    with server.connect_as_root() as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@contextmanager
def kill(server: ReplicaServer, _schema: str) -> Iterator[None]:
    server.kill()
    yield
    server.start()
    run(server, "START SLAVE")


@contextmanager
def hang(server: ReplicaServer, _schema: str) -> Iterator[None]:
    """Let the server accept connections and answer nothing."""
    pid = server.pid
    assert pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def stand(server: ReplicaServer, _schema: str) -> Iterator[None]:
    run(server, "STOP SLAVE SQL_THREAD")
    yield
    run(server, "START SLAVE SQL_THREAD")


@contextmanager
def lag(server: ReplicaServer, _schema: str) -> Iterator[None]:
    run(server, "STOP SLAVE", "CHANGE MASTER TO MASTER_DELAY = 1", "START SLAVE")
    yield
    run(server, "STOP SLAVE", "CHANGE MASTER TO MASTER_DELAY = 0", "START SLAVE")


@contextmanager
def deny(server: ReplicaServer, _schema: str) -> Iterator[None]:
    """Accept the account no more; existing sessions end."""
    run(server, "SET SESSION sql_log_bin = 0", "ALTER USER admin@`%` ACCOUNT LOCK")
    with server.connect_as_root() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT id FROM information_schema.processlist WHERE user = 'admin'")
        sessions = [row[0] for row in cursor.fetchall()]
    for session in sessions:
        run(server, f"KILL {session}")
    yield
    run(server, "SET SESSION sql_log_bin = 0", "ALTER USER admin@`%` ACCOUNT UNLOCK")


@contextmanager
def lose_table(server: ReplicaServer, schema: str) -> Iterator[None]:
    """Take the table away on this replica only, with replication stopped, because that would stop at the next write."""
    run(server, "STOP SLAVE", "SET SESSION sql_log_bin = 0", f"RENAME TABLE {schema}.things TO {schema}.lost")
    yield
    run(server, "SET SESSION sql_log_bin = 0", f"RENAME TABLE {schema}.lost TO {schema}.things", "START SLAVE")


@contextmanager
def garble(server: ReplicaServer, schema: str) -> Iterator[None]:
    """Overwrite the pages of the table's file."""
    run(server, "STOP SLAVE")
    server.stop()
    file = server.data / schema / "things.ibd"
    intact = file.read_bytes()
    file.write_bytes(intact[: 3 * 16384] + b"\xa5" * (len(intact) - 3 * 16384))
    server.start()
    yield
    server.kill()
    file.write_bytes(intact)
    server.start()
    run(server, "START SLAVE")


FAULTS: list[Fault] = [kill, hang, stand, lag, deny, lose_table, garble]


@pytest.fixture
def write(rig: Rig, environment: Environment, servers: DatabaseServers) -> Write:
    write = put({"label": "first"})
    rig.load(write)
    servers.wait_for_replicas()
    return write


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_read_is_answered_while_its_home_replica_has_a_fault(
    servers: DatabaseServers, environment: Environment, write: Write, fault: Fault, database: str
) -> None:
    path = f"things/{write.id}"
    before = environment.get(path)
    assert before.status == 200
    with fault(environment.find_home(servers, write), database):
        answers = [environment.get(path) for _ in range(5)]
        answers.append(environment.get(f"{path}/writes/{write.version}"))
    assert {answer.status for answer in answers} == {200}
    assert {answer.body for answer in answers[:-1]} == {before.body}
    servers.wait_for_replicas()


def test_while_every_replica_is_down_a_read_is_a_503_and_one_that_is_back_answers(
    servers: DatabaseServers, environment: Environment, write: Write
) -> None:
    for replica in servers.replicas:
        replica.kill()
    assert [environment.get("things").status for _ in range(2)] == [503, 503]
    servers.replicas[1].start()
    assert environment.get("things").status == 200
    assert environment.get(f"things/{write.id}").status == 200
    servers.start()


def test_a_client_that_is_ahead_of_a_replica_that_stands_gets_nothing_older(
    rig: Rig, servers: DatabaseServers, environment: Environment, primary: Database, write: Write
) -> None:
    path = f"things/{write.id}"
    home = environment.find_home(servers, write)
    others = [replica for replica in servers.replicas if replica is not home]
    run(home, "STOP SLAVE SQL_THREAD")
    newer = put({"label": "second"}, write.id)
    rig.load(newer)
    for replica in others:
        replica.wait_until_caught_up()
    try:
        old = environment.get(path)
        assert b"first" in old.body
        # By version, then by the moment, and then by the ETag: each of them in an environment that has seen nothing.
        seen = environment.get(path, {"version": newer.version})
        assert b"second" in seen.body
        for headers in ({AS_OF_HEADER: seen.headers[AS_OF_HEADER]}, {"If-None-Match": seen.headers["ETag"]}):
            fresh = Environment(rig, servers)
            assert b"first" in fresh.get(path).body
            answer = fresh.get(path, headers=headers)
            assert (answer.status, answer.body) in ((200, seen.body), (304, b""))
            assert answer.headers["ETag"] == seen.headers["ETag"]
            fresh.close()
        for replica in others:
            replica.kill()
        fresh = Environment(rig, servers)
        assert fresh.get(path, headers={AS_OF_HEADER: seen.headers[AS_OF_HEADER]}).status == 425
        assert fresh.get("things", headers={AS_OF_HEADER: seen.headers[AS_OF_HEADER]}).status == 425
        assert (
            fresh.get(f"{path}/writes/{newer.version}", headers={AS_OF_HEADER: seen.headers[AS_OF_HEADER]}).status
            == 425
        )
        ahead = fresh.get(path, headers={"If-None-Match": seen.headers["ETag"]})
        assert (ahead.status, ahead.headers["ETag"]) == (304, seen.headers["ETag"])
        # CloudFront keeps the moment of its copy, which this replica has not reached.
        assert AS_OF_HEADER not in ahead.headers
        assert b"first" in fresh.get(path).body
        fresh.close()
    finally:
        run(home, "START SLAVE SQL_THREAD")
        servers.start()
        servers.wait_for_replicas()


def create_write_away_from(replica: ReplicaServer, servers: DatabaseServers, environment: Environment) -> Write:
    """Create a write of an item whose home is another replica."""
    writes = iter(lambda: put({"label": "first"}), None)
    return next(write for write in writes if environment.find_home(servers, write) is not replica)


def test_a_client_that_has_seen_an_item_deleted_does_not_see_it_again(
    rig: Rig, servers: DatabaseServers, environment: Environment
) -> None:
    list_home = environment.find_list_home(servers)
    write = create_write_away_from(list_home, servers, environment)
    rig.load(write)
    servers.wait_for_replicas()
    run(list_home, "STOP SLAVE SQL_THREAD")
    rig.load(delete(write.id))
    for replica in servers.replicas:
        if replica is not list_home:
            replica.wait_until_caught_up()
    try:
        deleted = environment.get(f"things/{write.id}")
        assert deleted.status == 404
        fresh = Environment(rig, servers)
        [listed] = msgspec.json.decode(fresh.get("things").body)["items"]
        assert listed["id"] == write.id
        after = fresh.get("things", headers={AS_OF_HEADER: deleted.headers[AS_OF_HEADER]})
        assert msgspec.json.decode(after.body)["items"] == []
        fresh.close()
    finally:
        run(list_home, "START SLAVE SQL_THREAD")
        servers.wait_for_replicas()


@pytest.fixture
def caching_loader(rig: Rig, cache: CacheServer, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Loads a batch, and invalidates its items in the cache."""
    monkeypatch.setattr("sluice.cache.valkey_client.read_credentials", lambda _arn: Credentials(*cache.credentials))
    cache.start()
    invalidator = CacheInvalidator(ValkeyClient(create_cache_settings(cache), 1.0), rig.resources)
    loader = Loader(rig.database, rig.resources, rig.objects.open, cache=invalidator)

    def load(*writes: Write) -> None:
        loader.load_batch("bucket", rig.objects.put(f"batches/{len(rig.objects.content)}", writes))

    return load


def create_cache_settings(cache: CacheServer) -> CacheSettings:
    return CacheSettings("localhost", cache.port, "cache", 600)


def test_a_cached_item_of_a_replica_that_is_ahead_is_not_followed_by_an_older_one(
    rig: Rig,
    servers: DatabaseServers,
    environment: Environment,
    cache: CacheServer,
    caching_loader: Callable[..., None],
) -> None:
    """Another environment stores what its replica has; the one that answers knows only an earlier moment."""
    list_home = environment.find_list_home(servers)
    write = create_write_away_from(list_home, servers, environment)
    caching_loader(write)
    servers.wait_for_replicas()
    path = f"things/{write.id}"

    def create_environment() -> Environment:
        return Environment(rig, servers, CacheReader(ValkeyClient(create_cache_settings(cache), 1.0), 600, lambda: 1.0))

    answering, other = create_environment(), create_environment()
    before = answering.get(path)
    home = environment.find_home(servers, write)
    lagging = [replica for replica in servers.replicas if replica is not home]
    for replica in lagging:
        run(replica, "STOP SLAVE SQL_THREAD")
    try:
        caching_loader(put({"label": "second"}, write.id))
        home.wait_until_caught_up()
        stored = other.get(path)
        cached = answering.get(path, headers={AS_OF_HEADER: before.headers[AS_OF_HEADER]})
        assert cached.body == stored.body != before.body
        assert cached.headers[AS_OF_HEADER] == stored.headers[AS_OF_HEADER]
        listed = answering.get("things", headers={AS_OF_HEADER: cached.headers[AS_OF_HEADER]})
        assert msgspec.json.decode(listed.body)["items"] == [msgspec.json.decode(cached.body)]
    finally:
        for replica in lagging:
            run(replica, "START SLAVE SQL_THREAD")
        servers.wait_for_replicas()
        answering.close()
        other.close()


@pytest.mark.parametrize("value", ["", "now", "2026-11-29", "2026-11-29T17:00:03", "2026-13-29T17:00:03Z", "0"])
def test_a_moment_that_is_none_is_a_400(environment: Environment, value: str) -> None:
    assert environment.get("things", headers={AS_OF_HEADER: value}).status == 400


class Client:
    """Reads items and lists, and notes what it has seen. A strict one sends the latest moment back."""

    def __init__(self, environment: Environment, items: list[str], *, is_strict: bool) -> None:
        self._environment, self._items, self._is_strict = environment, items, is_strict
        self._moment = ""
        self._seen: dict[str, str] = {}
        self.statuses: Counter[int] = Counter()
        self.went_back: list[tuple[str, str, str]] = []

    def read_all(self) -> None:
        for item_id in self._items:
            self._read(f"things/{item_id}")
        self._read("things")

    def _read(self, path: str) -> None:
        headers = {AS_OF_HEADER: self._moment} if self._is_strict and self._moment else {}
        answer = self._environment.get(path, headers=headers)
        self.statuses[answer.status] += 1
        if answer.status != 200:
            return
        self._moment = max(self._moment, answer.headers[AS_OF_HEADER])
        body = msgspec.json.decode(answer.body)
        for item in body.get("items", [body]):
            # A strict client has one order for all addresses, a plain one for each.
            address = item["id"] if self._is_strict else f"{path} {item['id']}"
            if item["version"] < self._seen.get(address, ""):
                self.went_back.append((address, self._seen[address], item["version"]))
            self._seen[address] = max(item["version"], self._seen.get(address, ""))


class Traffic:
    """Loads, and clients of whom each has an environment, until the end of the context."""

    def __init__(self, clients: list[Client], load: Callable[[Write], object], items: list[str]) -> None:
        self.clients, self._load, self._items = clients, load, items
        self._is_over = threading.Event()

    @contextmanager
    def play(self) -> Iterator[None]:
        with ThreadPoolExecutor(len(self.clients) + 1) as threads:
            futures = [threads.submit(self._read, client) for client in self.clients]
            futures.append(threads.submit(self._write))
            try:
                yield
            finally:
                self._is_over.set()
            for future in futures:
                future.result()

    def _read(self, client: Client) -> None:
        while not self._is_over.is_set():
            client.read_all()

    def _write(self) -> None:
        number = 0
        while not self._is_over.is_set():
            number += 1
            self._load(put({"label": str(number)}, self._items[number % len(self._items)]))
            time.sleep(0.02)


@pytest.mark.parametrize(
    "has_cache",
    [pytest.param(False, id="replicas"), pytest.param(True, id="with the read cache", marks=pytest.mark.slow)],
)
def test_strict_clients_never_see_an_older_state_whatever_fails(
    rig: Rig,
    servers: DatabaseServers,
    cache: CacheServer,
    caching_loader: Callable[..., None],
    primary: Database,
    database: str,
    has_cache: bool,
) -> None:
    settings, load = create_cache_settings(cache), caching_loader if has_cache else rig.load
    writes = [put({"label": "0"}) for _ in range(ITEMS)]
    items = [write.id for write in writes]
    load(*writes)
    write_moment(primary)
    servers.wait_for_replicas()
    environments = [
        Environment(rig, servers, CacheReader(ValkeyClient(settings, 1.0), 600) if has_cache else None)
        for _ in range(READERS)
    ]
    clients = [Client(environment, items, is_strict=number % 4 != 0) for number, environment in enumerate(environments)]
    with Traffic(clients, load, items).play():
        for number, fault in enumerate(FAULTS):
            replica = servers.replicas[number % len(servers.replicas)]
            with fault(replica, database):
                time.sleep(FAULT_SECONDS)
            servers.wait_for_replicas()
    strict, plain = [client for client in clients if client._is_strict], [c for c in clients if not c._is_strict]
    statuses = sum((client.statuses for client in clients), Counter[int]())
    went_back = sum(len(client.went_back) for client in plain)
    print(f"\n{statuses}; of plain clients, {went_back} reads went back")
    assert [client.went_back for client in strict] == [[]] * len(strict)
    assert set(statuses) <= {200, 425}
    assert statuses[200] > 100
    for environment in environments:
        environment.close()
