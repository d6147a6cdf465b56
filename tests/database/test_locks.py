"""Rows that another session locks: a load retries, then gives up, and never waits without end."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pymysql
import pytest

from local.database import DatabaseServers
from sluice.db.connection import Database
from sluice.db.errors import classify_error
from sluice.errors import DatabaseUnavailable, LockConflict
from sluice.load.loader import MAX_ATTEMPTS
from tests.database.conftest import Connect
from tests.database.deployed import Loading, Root
from tests.database.things import OWNER, delete, put


@contextmanager
def hold_lock(connect: Connect, item_id: str) -> "Iterator[pymysql.Connection[Any]]":
    """Another session that holds the lock of an item's row."""
    other = connect()
    with other.cursor() as cursor:
        cursor.execute("SELECT 1 FROM things WHERE owner = %s AND id = %s FOR UPDATE", (OWNER, item_id))
    yield other
    if other.open:
        other.rollback()


def test_a_held_lock_is_retried_and_then_a_lock_conflict(loading: Loading, root: Root, connect: Connect) -> None:
    write = put({"label": "x"})
    loading.load(write)
    newer = put({"label": "newer"}, write.id)
    loading.opened = 0
    with root.setting("innodb_lock_wait_timeout", 1), hold_lock(connect, write.id):
        loading.database.drop_connection()
        with pytest.raises(LockConflict):
            loading.load(newer, key="batches/b")
    assert (loading.opened, loading.loaded()) == (MAX_ATTEMPTS, 1)
    assert loading.load(newer, key="batches/b") == "loaded"


def test_a_lock_that_is_released_in_time_costs_one_attempt(loading: Loading, root: Root, connect: Connect) -> None:
    write = put({"label": "x"})
    loading.load(write)
    loading.opened = 0
    with root.setting("innodb_lock_wait_timeout", 1), hold_lock(connect, write.id) as other:
        loading.database.drop_connection()
        release = threading.Timer(1.5, other.rollback)
        release.start()
        assert loading.load(put({"label": "newer"}, write.id), key="batches/b") == "loaded"
        # The load can end before the rollback's response has arrived, and two threads must not share a connection.
        release.join()
    assert loading.opened == 2


def test_a_row_that_changes_after_the_first_read_costs_no_attempt(
    loading: Loading, root: Root, connect: Connect
) -> None:
    """As MariaDB 11.8 has it by default. Without the loader's own setting, the load would fail once."""
    write = put({"label": "x"})
    loading.load(write)
    loading.opened = 0
    with root.setting("innodb_snapshot_isolation", 1), connect() as other:
        with other.cursor() as cursor:
            cursor.execute("UPDATE things SET story = 'changed' WHERE id = %s", (write.id,))
        loading.database.drop_connection()
        commit = threading.Timer(1, other.commit)
        commit.start()
        assert loading.load(put({"label": "newer"}, write.id), key="batches/b") == "loaded"
        commit.join()
    assert loading.opened == 1


def test_a_transaction_that_ends_because_a_row_has_changed_is_a_lock_conflict(
    loading: Loading, root: Root, connect: Connect
) -> None:
    write = put({"label": "x"})
    loading.load(write)
    with root.setting("innodb_snapshot_isolation", 1), connect() as first, connect() as second:
        with first.cursor() as cursor:
            cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        with second.cursor() as cursor:
            cursor.execute("UPDATE things SET story = 'changed' WHERE id = %s", (write.id,))
        second.commit()
        with first.cursor() as cursor, pytest.raises(pymysql.Error) as caught:
            cursor.execute("SELECT 1 FROM things WHERE owner = %s AND id = %s FOR UPDATE", (OWNER, write.id))
    assert isinstance(classify_error(caught.value), LockConflict)


def test_a_deadlock_costs_one_attempt(loading: Loading, root: Root, connect: Connect) -> None:
    first, second = sorted((put({"label": "x"}) for _ in range(2)), key=lambda write: write.id)
    loading.load(first, second)
    loading.opened = 0
    [(_, deadlocks)] = root.run("SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'")
    with hold_lock(connect, second.id) as other, other.cursor() as cursor:
        # InnoDB rolls back the smaller transaction.
        cursor.execute(
            "INSERT INTO rejected_writes (version, collection, owner, id, reason, `write`, object_key, line)"
            " SELECT seq, '', '', '', '', '', '', 0 FROM seq_1_to_500"
        )
        connection_id = loading.connection_id()
        answers: list[str] = []
        loads = threading.Thread(
            target=lambda: answers.append(loading.load(delete(first.id), delete(second.id), key="batches/b"))
        )
        loads.start()
        root.wait_for_lock(connection_id)
        cursor.execute("UPDATE things SET label = 'other' WHERE owner = %s AND id = %s", (OWNER, first.id))
        other.commit()
        loads.join()
    assert (answers, loading.opened) == (["loaded"], 2)
    assert int(root.run("SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'")[0][1]) == int(deadlocks) + 1
    assert [row["deleted"] for row in loading.rig.rows("SELECT deleted FROM things")] == [1, 1]


@pytest.mark.parametrize("how", ["KILL %s", "KILL QUERY %s"])
def test_a_killed_statement_means_unavailable(loading: Loading, root: Root, connect: Connect, how: str) -> None:
    write = put({"label": "x"})
    loading.load(write)
    id_ = loading.connection_id()
    killed = root.act_when_waiting(id_, lambda: root.run(how, id_))
    with hold_lock(connect, write.id):
        killed.start()
        with pytest.raises(DatabaseUnavailable):
            loading.load(put({"label": "newer"}, write.id), key="batches/b")
        killed.join()


def test_a_primary_that_shuts_down_is_unavailable(
    loading: Loading, root: Root, servers: DatabaseServers, connect: Connect
) -> None:
    write = put({"label": "x"})
    loading.load(write)
    stops = root.act_when_waiting(loading.connection_id(), servers.primary.stop)
    with hold_lock(connect, write.id) as other:
        stops.start()
        with pytest.raises(DatabaseUnavailable):
            loading.load(put({"label": "newer"}, write.id), key="batches/b")
        stops.join()
        other.close()
    servers.primary.start()
    loading.rig.connection.connect()
    assert loading.load(put({"label": "newer"}, write.id), key="batches/b") == "loaded"


def test_a_statement_that_hangs_means_unavailable(loading: Loading, connect: Connect) -> None:
    write = put({"label": "x"})
    loading.load(write)
    hasty = Database(loading.settings, statement_timeout_seconds=1, for_loading=True)
    with hold_lock(connect, write.id), pytest.raises(DatabaseUnavailable):
        loading.load(put({"label": "newer"}, write.id), key="batches/b", database=hasty)
