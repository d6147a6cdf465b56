"""The health check of a real primary and replica."""

import datetime
import importlib
import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from local.database import DatabaseServers
from ops.template import read_template
from sluice.db.connection import Connection, Database
from sluice.errors import DatabaseUnavailable
from sluice.recovery.database_health import (
    PrimaryHealth,
    ReplicaHealth,
    check_health,
    check_primary,
    check_replicas,
    count_loads_since,
    describe_health,
    probe_primary,
    read_ledger_summary,
)
from sluice.recovery.heartbeat import ask_each, send_heartbeat
from testkit.lambda_environment import build_lambda_environment
from tests.database.deployed import Loading, Root
from tests.database.rig import Rig
from tests.database.things import delete

WAIT_SECONDS = 2.0


REACHABLE = PrimaryHealth(is_reachable=True, accepts_writes=True)


def check_replica(primary: Database, replica: Database, wait_seconds: float = WAIT_SECONDS) -> ReplicaHealth:
    [health] = check_replicas(primary, REACHABLE, {"replica-1": replica}, time.monotonic, wait_seconds)
    assert health.name == "replica-1"
    return health


def follows(primary: Database, replica: Database) -> bool:
    return check_replica(primary, replica).replicates


def position(primary: Database) -> Any:
    return primary.query("SELECT @@gtid_binlog_pos AS position", ())[0]["position"]


def test_a_probe_leaves_nothing_behind(rig: Rig, primary: Database) -> None:
    before = position(primary)
    probe_primary(primary)
    assert rig.rows("SELECT * FROM loaded_batches") == []
    assert position(primary) == before


def test_a_read_only_primary_is_unavailable_to_every_account(
    primary: Database, loading: Loading, root: Root, rig: Rig
) -> None:
    probe_primary(primary)
    loader = Database(loading.settings, statement_timeout_seconds=10)
    probe_primary(loader)
    with root.setting("read_only", 1):
        for database in (primary, loader):
            with pytest.raises(DatabaseUnavailable):
                probe_primary(database)
        health = check_primary(primary)
        assert (health.is_reachable, health.accepts_writes) == (True, False)
        assert "read-only" in health.reason
    probe_primary(primary)
    assert check_primary(loader).accepts_writes
    loader.drop_connection()


def test_a_primary_that_is_locked_for_a_backup_accepts_no_writes(primary: Database, root: Root) -> None:
    waiting = Database(primary._settings, statement_timeout_seconds=1)
    with root._server.connect_as_root() as connection, connection.cursor() as cursor:
        cursor.execute("FLUSH TABLES WITH READ LOCK")
        with pytest.raises(DatabaseUnavailable):
            probe_primary(waiting)
    probe_primary(waiting)
    waiting.drop_connection()


def test_a_replica_follows_until_it_stops(
    rig: Rig, primary: Database, replica: Database, servers: DatabaseServers
) -> None:
    rig.load(delete("01900000-0000-7000-8000-000000000001"))
    assert follows(primary, replica)
    with servers.replica.connect_as_root() as connection, connection.cursor() as cursor:
        cursor.execute("STOP SLAVE SQL_THREAD")
        rig.load(delete("01900000-0000-7000-8000-000000000002"))
        health = check_replica(primary, replica, 0.5)
        assert (health.is_reachable, health.replicates) == (True, False)
        assert health.reason == "more than 0.5 s behind the primary"
        cursor.execute("START SLAVE")
    assert follows(primary, replica)


@pytest.mark.parametrize("thread", ["", "IO_THREAD", "SQL_THREAD"])
def test_a_replica_that_is_up_to_date_but_stopped_does_not_follow(
    primary: Database, replica: Database, servers: DatabaseServers, thread: str
) -> None:
    assert follows(primary, replica)
    servers.wait_for_replicas()
    with servers.replica.connect_as_root() as connection, connection.cursor() as cursor:
        cursor.execute(f"STOP SLAVE {thread}")
        health = check_replica(primary, replica, 0.5)
        assert (health.is_reachable, health.replicates) == (True, False)
        cursor.execute("START SLAVE")
    assert follows(primary, replica)


def test_a_replica_that_is_ahead_of_a_restored_primary_does_not_follow(
    primary: Database, replica: Database, servers: DatabaseServers
) -> None:
    """Its position is beyond the primary's, but its data have another history."""
    assert follows(primary, replica)
    with servers.replica.connect_as_root() as connection, connection.cursor() as cursor:
        cursor.execute("STOP SLAVE")
        cursor.execute("SELECT @@gtid_slave_pos")
        before = cursor.fetchone()[0]
        cursor.execute("SET GLOBAL gtid_slave_pos = %s", (re.sub(r"\d+$", "99999999", before),))
        health = check_replica(primary, replica)
        assert (health.is_reachable, health.replicates) == (True, False)
        assert "replicates another primary" in health.reason
        cursor.execute("SET GLOBAL gtid_slave_pos = %s", (before,))
        cursor.execute("START SLAVE")
    assert follows(primary, replica)


def test_an_up_to_date_replica_of_a_read_only_primary_follows(
    primary: Database, replica: Database, loading: Loading, root: Root
) -> None:
    loader = Database(loading.settings, statement_timeout_seconds=10)
    with root.setting("read_only", 1):
        health = check_health(loader, {"replica-1": replica}, time.monotonic, WAIT_SECONDS)
    assert (health["primary"]["accepts_writes"], health["replicas"][0]["replicates"]) == (False, True)
    loader.drop_connection()


def test_a_health_check_never_fails(
    rig: Rig, primary: Database, replicas: dict[str, Database], servers: DatabaseServers
) -> None:
    rig.load(delete("01900000-0000-7000-8000-000000000001"), key="batches/a")
    servers.wait_for_replicas()

    def check() -> tuple[dict[str, Any], list[tuple[str, bool, bool]]]:
        health = check_health(primary, replicas, time.monotonic, WAIT_SECONDS)
        return health, [(each["name"], each["is_reachable"], each["replicates"]) for each in health["replicas"]]

    health, states = check()
    assert health["summary"] == "The primary accepts writes; its 2 replicas follow it."
    assert health["ledger"] == {"batches": 1, "latest": "batches/a", "rejected": 0}
    assert states == [("replica-1", True, True), ("replica-2", True, True)]
    servers.replicas[0].stop()
    with servers.replicas[1].connect_as_root() as connection, connection.cursor() as cursor:
        cursor.execute("STOP SLAVE SQL_THREAD")
        health, states = check()
        cursor.execute("START SLAVE")
    assert states == [("replica-1", False, False), ("replica-2", True, False)]
    assert re.fullmatch(
        r"The primary accepts writes; replica-1 does not follow it \(DatabaseUnavailable: .*\); "
        r"replica-2 does not follow it \(more than 2 s behind the primary\)\.",
        health["summary"],
    )
    servers.primary.stop()
    health, states = check()
    assert health["primary"]["is_reachable"] is False
    assert states == [("replica-1", False, False), ("replica-2", True, False)]
    assert health["replicas"][1]["reason"] == health["primary"]["reason"]
    assert health["ledger"] is None
    assert read_ledger_summary(primary) is None
    servers.start()
    probe_primary(primary)


def test_the_loads_since_a_time_are_counted(rig: Rig, primary: Database, servers: DatabaseServers) -> None:
    rig.load(delete("01900000-0000-7000-8000-000000000001"), key="batches/a")
    [row] = rig.rows("SELECT loaded_at FROM loaded_batches")
    loaded_at = row["loaded_at"].replace(tzinfo=datetime.UTC)
    paris = datetime.timezone(datetime.timedelta(hours=1))
    assert count_loads_since(primary, loaded_at) == 1
    assert count_loads_since(primary, loaded_at.astimezone(paris)) == 1
    assert count_loads_since(primary, loaded_at + datetime.timedelta(microseconds=1)) == 0
    servers.primary.stop()
    assert count_loads_since(primary, loaded_at) is None
    servers.start()
    probe_primary(primary)


def test_a_database_without_a_replica_is_healthy(rig: Rig, primary: Database) -> None:
    health = check_health(primary, {}, time.monotonic, WAIT_SECONDS)
    assert (health["replicas"], health["summary"]) == ([], "The primary accepts writes; there is no replica.")


def test_one_replica_is_no_list_in_the_summary() -> None:
    replica = ReplicaHealth("replica-1", is_reachable=True, replicates=True)
    assert describe_health(REACHABLE, [replica]) == "The primary accepts writes; its replica follows it."


class CountingDatabase(Database):
    """It counts how often it waited for its timeout."""

    timeouts = 0

    def _open_connection(self) -> Connection:
        try:
            return super()._open_connection()
        except DatabaseUnavailable:
            self.timeouts += 1
            raise

    def drop_connection(self) -> None:
        """A database drops its connection after a statement that failed."""
        self.timeouts += 1
        super().drop_connection()


@pytest.fixture
def counting(rig: Rig, servers: DatabaseServers) -> Iterator[tuple[CountingDatabase, dict[str, CountingDatabase]]]:
    """A primary and replicas with short timeouts and open connections. All servers are frozen until the end."""
    databases = [
        CountingDatabase(
            msgspec.structs.replace(rig.database._settings, database_port=server.port), statement_timeout_seconds=1
        )
        for server in servers.all
    ]
    for database in databases:
        database.get_connection()
    pids = [pid for server in servers.all if (pid := server.pid)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    yield databases[0], {f"replica-{number}": database for number, database in enumerate(databases[1:], 1)}
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    for database in databases:
        database.drop_connection()
    servers.wait_for_replicas()


def sum_timeouts(primary: int, replica: int, databases: tuple[CountingDatabase, dict[str, CountingDatabase]]) -> int:
    """The seconds that a check takes with these timeouts. The replicas wait together."""
    return databases[0].timeouts * primary + max(each.timeouts for each in databases[1].values()) * replica


def test_a_check_and_a_heartbeat_end_in_time_when_all_servers_hang(
    counting: tuple[CountingDatabase, dict[str, CountingDatabase]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in build_lambda_environment().items():
        monkeypatch.setenv(name, value)
    handler: Any = importlib.import_module("sluice.handlers.health_check")
    limit = read_template()["Resources"]["HealthCheckFunction"]["Properties"]["Timeout"]
    primary, replicas = counting
    health = check_health(primary, replicas, time.monotonic, handler.REPLICA_WAIT_SECONDS)
    assert [health["primary"]["is_reachable"], *(each["is_reachable"] for each in health["replicas"])] == [False] * 3
    seconds = sum_timeouts(handler.PRIMARY_TIMEOUT_SECONDS, handler.REPLICA_TIMEOUT_SECONDS, counting)
    # The secrets of both users may take some seconds too.
    assert 0 < seconds <= limit - 15
    for database in (primary, *replicas.values()):
        database.timeouts = 0
    assert not send_heartbeat(primary, replicas, lambda: datetime.datetime.now(datetime.UTC)).is_available
    assert 0 < sum_timeouts(handler.HEARTBEAT_TIMEOUT_SECONDS, handler.HEARTBEAT_TIMEOUT_SECONDS, counting) < 60


def test_servers_are_asked_at_the_same_time() -> None:
    """Each waits for the others: one after the other, none would answer."""
    meeting = threading.Barrier(3)
    servers: Any = {"replica-1": 1, "replica-2": 2, "replica-3": 3}
    assert ask_each(servers, lambda number: (meeting.wait(10) is not None, number)) == {
        name: (True, number) for name, number in servers.items()
    }
