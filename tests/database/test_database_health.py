"""The health check of a real primary and replica."""

import re
import time
from typing import Any

import pytest

from local.database import DatabaseServers
from sluice.db.connection import Database
from sluice.errors import DatabaseUnavailable
from sluice.recovery.database_health import (
    check_health,
    check_primary,
    check_replica,
    probe_primary,
    read_ledger_summary,
)
from tests.database.deployed import Loading, Root
from tests.database.rig import Rig
from tests.database.things import delete

WAIT_SECONDS = 2.0


def follows(primary: Database, replica: Database) -> bool:
    return check_replica(primary, replica, time.monotonic, WAIT_SECONDS).replicates


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
        health = check_replica(primary, replica, time.monotonic, 0.5)
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
        health = check_replica(primary, replica, time.monotonic, 0.5)
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
        health = check_replica(primary, replica, time.monotonic, WAIT_SECONDS)
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
        health = check_health(loader, replica, time.monotonic, WAIT_SECONDS)
    assert (health["primary"]["accepts_writes"], health["replica"]["replicates"]) == (False, True)
    loader.drop_connection()


def test_a_health_check_never_fails(rig: Rig, primary: Database, replica: Database, servers: DatabaseServers) -> None:
    rig.load(delete("01900000-0000-7000-8000-000000000001"), key="batches/a")
    servers.wait_for_replicas()
    health = check_health(primary, replica, time.monotonic, WAIT_SECONDS)
    assert health["summary"] == "The primary accepts writes; the replica follows it."
    assert health["ledger"] == {"batches": 1, "latest": "batches/a", "rejected": 0}
    servers.replica.stop()
    health = check_health(primary, replica, time.monotonic, WAIT_SECONDS)
    assert (health["replica"]["is_reachable"], health["replica"]["replicates"]) == (False, False)
    assert health["summary"].startswith(
        "The primary accepts writes; the replica does not follow it (DatabaseUnavailable: "
    )
    servers.primary.stop()
    health = check_health(primary, replica, time.monotonic, WAIT_SECONDS)
    assert health["primary"]["is_reachable"] is False
    assert health["ledger"] is None
    assert read_ledger_summary(primary) is None
    servers.start()
    probe_primary(primary)
