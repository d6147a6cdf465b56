"""Each error of the database by the name that the workflows catch, and the recovery from it."""

import time
from typing import Any

import pymysql
import pytest
from pymysql.constants import ER

from local.database import DatabaseServers
from sluice.aws.secrets import Credentials
from sluice.db.errors import classify_error
from sluice.errors import AccessDenied, DatabaseUnavailable, SchemaOutdated
from tests.database.conftest import Connect
from tests.database.deployed import Loading, Root
from tests.database.shaky import Mishap, ProcessDied, ShakyDatabase
from tests.database.things import put


def test_a_warm_connection_that_ended_is_replaced(loading: Loading, root: Root) -> None:
    loading.load(put({"label": "x"}))
    before = loading.connection_id()
    root.run("KILL %s", before)
    assert loading.load(put({"label": "x"}), key="batches/b") == "loaded"
    assert (loading.connection_id() == before, loading.fetched) == (False, 1)


def test_a_warm_connection_that_was_idle_too_long_is_replaced(loading: Loading, root: Root) -> None:
    with root.setting("wait_timeout", 1):
        loading.load(put({"label": "x"}))
        time.sleep(1.5)
        assert loading.load(put({"label": "x"}), key="batches/b") == "loaded"


def test_a_lost_primary_is_unavailable_until_it_is_back(loading: Loading, servers: DatabaseServers) -> None:
    first, second = put({"label": "first"}), put({"label": "second"})
    loading.load(first)
    servers.primary.kill()
    for _warm_then_cold in range(2):
        with pytest.raises(DatabaseUnavailable):
            loading.load(second, key="batches/b")
    servers.primary.start()
    loading.rig.connection.connect()
    assert loading.load(second, key="batches/b") == "loaded"
    assert loading.load(first) == "already_loaded"
    assert {row["label"] for row in loading.rig.rows("SELECT label FROM things")} == {"first", "second"}


@pytest.mark.parametrize(
    ("mishap", "expected"), [("killed_in_load", DatabaseUnavailable), ("killed_before_commit", DatabaseUnavailable)]
)
def test_a_primary_lost_within_a_transaction_keeps_nothing_of_it(
    loading: Loading, servers: DatabaseServers, mishap: Mishap, expected: type[Exception]
) -> None:
    shaky = ShakyDatabase(loading.settings, lambda _id: servers.primary.kill())
    write = put({"label": "x"})
    shaky.mishap = mishap
    with pytest.raises(expected):
        loading.load(write, database=shaky)
    servers.primary.start()
    loading.rig.connection.connect()
    assert loading.loaded() == 0
    assert loading.rig.rows("SELECT 1 FROM things") == []
    assert loading.load(write, database=shaky) == "loaded"
    shaky.drop_connection()


def test_a_primary_lost_right_after_the_commit_keeps_all(loading: Loading, servers: DatabaseServers) -> None:
    shaky = ShakyDatabase(loading.settings, lambda _id: None)
    write = put({"label": "x"})
    shaky.mishap = "dies_after_commit"
    with pytest.raises(ProcessDied):
        loading.load(write, database=shaky)
    servers.primary.kill()
    servers.primary.start()
    loading.rig.connection.connect()
    assert loading.load(write, database=shaky) == "already_loaded"
    assert len(loading.rig.rows("SELECT 1 FROM things")) == 1
    shaky.drop_connection()


def test_a_read_only_primary_is_unavailable(loading: Loading, root: Root) -> None:
    loading.load(put({"label": "x"}))
    with root.setting("read_only", 1), pytest.raises(DatabaseUnavailable):
        loading.load(put({"label": "y"}), key="batches/b")
    assert loading.loaded() == 1
    assert loading.load(put({"label": "y"}), key="batches/b") == "loaded"


def test_a_primary_without_free_connections_is_unavailable(loading: Loading, root: Root, connect: Connect) -> None:
    with root.setting("max_connections", 10):
        connections: list[pymysql.Connection[Any]] = []
        with pytest.raises(pymysql.OperationalError) as refused:
            connections.extend(connect() for _ in range(20))
        assert refused.value.args[0] == ER.CON_COUNT_ERROR
        with pytest.raises(DatabaseUnavailable):
            loading.load(put({"label": "x"}))
    assert loading.load(put({"label": "x"})) == "loaded"


def test_an_account_without_free_connections_is_unavailable(loading: Loading, root: Root, connect: Connect) -> None:
    root.run(f"ALTER USER {loading.account} WITH MAX_USER_CONNECTIONS 1")
    other = connect(account=(loading.account, "first"))
    with pytest.raises(DatabaseUnavailable):
        loading.load(put({"label": "x"}))
    other.close()
    time.sleep(0.1)
    assert loading.load(put({"label": "x"})) == "loaded"


def test_a_changed_password_is_read_again_once(loading: Loading, root: Root) -> None:
    loading.load(put({"label": "x"}))
    root.run(f"ALTER USER {loading.account} IDENTIFIED BY 'second'")
    loading.secret = Credentials(loading.account, "second")
    loading.database.drop_connection()
    assert loading.load(put({"label": "x"}), key="batches/b") == "loaded"
    assert loading.fetched == 2


def test_a_password_that_is_still_wrong_is_denied(loading: Loading, root: Root) -> None:
    loading.load(put({"label": "x"}))
    root.run(f"ALTER USER {loading.account} IDENTIFIED BY 'second'")
    loading.database.drop_connection()
    with pytest.raises(AccessDenied):
        loading.load(put({"label": "x"}), key="batches/b")
    assert loading.fetched == 2
    loading.secret = Credentials(loading.account, "second")
    assert loading.load(put({"label": "x"}), key="batches/b") == "loaded"


BEHIND = [
    "DROP TABLE things",
    "ALTER TABLE things DROP COLUMN note",
    "ALTER TABLE things ADD COLUMN later INT NOT NULL",
    "DROP TABLE loaded_batches",
    "DROP TABLE rejected_writes",
]


@pytest.mark.parametrize("change", BEHIND)
def test_tables_that_do_not_match_are_outdated(loading: Loading, database: str, root: Root, change: str) -> None:
    stranger = put({"label": "x"})
    stranger.collection = "strangers"
    loading.rig.connection.rollback()
    with loading.rig.connection.cursor() as cursor:
        cursor.execute(change)
    with pytest.raises(SchemaOutdated):
        loading.load(stranger, put({"label": "x"}))


def test_a_table_without_permissions_is_outdated(loading: Loading, database: str, root: Root) -> None:
    root.run(f"REVOKE ALL ON {database}.* FROM {loading.account}")
    root.run(f"GRANT CREATE TEMPORARY TABLES ON {database}.* TO {loading.account}")
    root.run(f"GRANT ALL ON {database}.loaded_batches TO {loading.account}")
    with pytest.raises(SchemaOutdated):
        loading.load(put({"label": "x"}))


def test_a_missing_schema_is_outdated(loading: Loading, database: str, root: Root) -> None:
    root.run(f"DROP DATABASE {database}")
    with pytest.raises(SchemaOutdated):
        loading.load(put({"label": "x"}))


# Errors that a test cannot cause: a full disk, and other errors of a read-only or stopping server.
@pytest.mark.parametrize("code", [ER.DISK_FULL, ER.ERROR_ON_WRITE, ER.SERVER_SHUTDOWN, ER.OPEN_AS_READONLY, 1836, 1047])
def test_other_errors_of_an_unavailable_database(code: int) -> None:
    assert isinstance(classify_error(pymysql.OperationalError(code, "")), DatabaseUnavailable)
