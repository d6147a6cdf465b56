"""The database pair of the local stack behaves as the deployed one would."""

import os
import signal
import ssl
from collections.abc import Iterator
from pathlib import Path

import pymysql
import pytest

from local.database import DatabasePair
from local.database.certificates import create_certificates
from local.process import start_process
from tests.database.conftest import Connect


def make_table(connect: Connect, rows: int = 3) -> None:
    with connect(autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (n INT PRIMARY KEY) ENGINE=InnoDB")
        cursor.executemany("INSERT INTO t VALUES (%s)", [(n,) for n in range(rows)])


def count(connect: Connect, pair: DatabasePair, name: str) -> int:
    with connect(getattr(pair, name)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM t")
        row = cursor.fetchone()
    assert row
    return int(row[0])


def test_the_replica_follows_the_primary(pair: DatabasePair, connect: Connect) -> None:
    make_table(connect)
    pair.wait_for_replica(10)
    assert count(connect, pair, "replica") == 3
    assert pair.replica.has_caught_up()


def test_a_stopped_replica_is_behind_until_it_is_started(pair: DatabasePair, connect: Connect) -> None:
    with pair.replica.connect_as_root() as root, root.cursor() as cursor:
        cursor.execute("STOP SLAVE")
    make_table(connect)
    assert not pair.replica.has_caught_up()
    pair.start()
    pair.wait_for_replica(10)
    assert count(connect, pair, "replica") == 3


def test_replication_is_encrypted_and_by_gtid(pair: DatabasePair) -> None:
    status = pair.replica.read_replication_status()
    assert status["Slave_IO_Running"] == status["Slave_SQL_Running"] == "Yes"
    assert status["Master_SSL_Allowed"] == status["Master_SSL_Verify_Server_Cert"] == "Yes"
    assert status["Using_Gtid"] == "Slave_Pos"


def test_the_replica_takes_no_writes(pair: DatabasePair, connect: Connect) -> None:
    make_table(connect)
    pair.wait_for_replica(10)
    with connect(pair.replica) as connection, pytest.raises(pymysql.OperationalError, match="read-only"):
        connection.cursor().execute("INSERT INTO t VALUES (100)")


@pytest.mark.parametrize("name", ["primary", "replica"])
def test_a_connection_without_tls_is_refused(pair: DatabasePair, name: str) -> None:
    username, password = pair.admin_credentials
    server = getattr(pair, name)
    server.connect(username, password).close()
    with pytest.raises(pymysql.OperationalError, match="Access denied"):
        pymysql.connect(host=server.host, port=server.port, user=username, password=password, ssl_disabled=True)


def test_another_authority_and_another_host_name_are_refused(pair: DatabasePair, tmp_path: Path) -> None:
    username, password = pair.admin_credentials
    create_certificates(tmp_path)
    stranger = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    with pytest.raises(pymysql.OperationalError, match="CERTIFICATE_VERIFY_FAILED"):
        pymysql.connect(host="127.0.0.1", port=pair.primary.port, user=username, password=password, ssl=stranger)
    trust = ssl.create_default_context(cafile=str(pair.ca))
    with pytest.raises(pymysql.OperationalError, match="CERTIFICATE_VERIFY_FAILED"):
        pymysql.connect(host="127.1", port=pair.primary.port, user=username, password=password, ssl=trust)


def test_both_host_names_are_certified(pair: DatabasePair) -> None:
    username, password = pair.admin_credentials
    trust = ssl.create_default_context(cafile=str(pair.ca))
    for host in ("localhost", "127.0.0.1"):
        pymysql.connect(host=host, port=pair.primary.port, user=username, password=password, ssl=trust).close()


def test_committed_rows_and_replication_survive_kill_9(pair: DatabasePair, connect: Connect) -> None:
    make_table(connect)
    for name in ("primary", "replica"):
        server = getattr(pair, name)
        port = server.port
        server.kill()
        assert server.pid is None
        server.start()
        assert server.port == port
        pair.start()
        with connect(autocommit=True) as connection, connection.cursor() as cursor:
            cursor.execute("INSERT INTO t SELECT MAX(n) + 1 FROM t")
        pair.wait_for_replica(20)
    assert count(connect, pair, "primary") == count(connect, pair, "replica") == 5


def test_replication_resumes_by_itself_when_only_the_primary_was_away(pair: DatabasePair, connect: Connect) -> None:
    make_table(connect)
    pair.primary.kill()
    pair.primary.start()
    with connect(autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO t VALUES (100)")
    pair.wait_for_replica(20)
    assert count(connect, pair, "replica") == 4


def test_the_admin_has_what_a_master_user_of_rds_has(pair: DatabasePair, connect: Connect) -> None:
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute("SHOW GRANTS")
        granted = " ".join(row[0] for row in cursor.fetchall())
        assert "SUPER" not in granted
        assert "FILE" not in granted
        assert "ALL PRIVILEGES" not in granted
        for wanted in ("CREATE TEMPORARY TABLES", "CREATE USER", "WITH GRANT OPTION"):
            assert wanted in granted
        with pytest.raises(pymysql.OperationalError, match="denied"):
            cursor.execute("SET GLOBAL read_only = 1")
        with pytest.raises(pymysql.OperationalError, match="denied"):
            cursor.execute("SELECT 1 INTO OUTFILE '/tmp/sluice-out'")


@pytest.fixture
def ordinary(pair: DatabasePair) -> Iterator[DatabasePair]:
    """The same databases, with a primary that has the default settings, not those of the tests."""
    ordinary = DatabasePair(pair.root)
    pair.primary.stop()
    ordinary.primary.start()
    yield ordinary
    ordinary.primary.stop()


def test_settings_are_those_the_service_relies_on(ordinary: DatabasePair, connect: Connect) -> None:
    expected = {
        "binlog_format": "ROW",
        "sync_binlog": 1,
        "innodb_flush_log_at_trx_commit": 1,
        "local_infile": 1,
        "require_secure_transport": 1,
        "time_zone": "+00:00",
    }
    with connect(ordinary.primary) as connection, connection.cursor() as cursor:
        for name, value in expected.items():
            cursor.execute(f"SELECT @@GLOBAL.{name}")
            assert cursor.fetchone() == (value,), name
        cursor.execute("CREATE TABLE t (n TINYINT) ENGINE=InnoDB")
        with pytest.raises(pymysql.DataError):
            cursor.execute("INSERT INTO t VALUES (1000)")


def test_a_pid_that_went_to_another_process_is_left_alone(tmp_path: Path) -> None:
    stranger = start_process(["sleep", "60"], tmp_path / "sleep.log")
    pair = DatabasePair(tmp_path / "pair")
    (tmp_path / "pair" / "primary").mkdir(parents=True)
    (tmp_path / "pair" / "primary" / "pid").write_text(str(stranger))
    pair.primary.kill()
    pair.stop()
    os.kill(stranger, 0)
    os.kill(stranger, signal.SIGKILL)
    assert os.waitpid(stranger, 0) == (stranger, signal.SIGKILL)
