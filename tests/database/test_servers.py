"""The database servers of the local stack behave as the deployed ones would."""

import os
import signal
import ssl
from collections.abc import Iterator
from pathlib import Path

import pymysql
import pytest

from local.database import DatabaseServers
from local.database.certificates import create_certificates
from local.process import start_process
from tests.database.conftest import Connect


def make_table(connect: Connect, rows: int = 3) -> None:
    with connect(autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (n INT PRIMARY KEY) ENGINE=InnoDB")
        cursor.executemany("INSERT INTO t VALUES (%s)", [(n,) for n in range(rows)])


def count(connect: Connect, servers: DatabaseServers, name: str) -> int:
    with connect(getattr(servers, name)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM t")
        row = cursor.fetchone()
    assert row
    return int(row[0])


def test_the_replica_follows_the_primary(servers: DatabaseServers, connect: Connect) -> None:
    make_table(connect)
    servers.wait_for_replicas(10)
    assert count(connect, servers, "replica") == 3
    assert servers.replica.has_caught_up()


def test_a_stopped_replica_is_behind_until_it_is_started(servers: DatabaseServers, connect: Connect) -> None:
    with servers.replica.connect_as_root() as root, root.cursor() as cursor:
        cursor.execute("STOP SLAVE")
    make_table(connect)
    assert not servers.replica.has_caught_up()
    servers.start()
    servers.wait_for_replicas(10)
    assert count(connect, servers, "replica") == 3


def test_replication_is_encrypted_and_by_gtid(servers: DatabaseServers) -> None:
    status = servers.replica.read_replication_status()
    assert status["Slave_IO_Running"] == status["Slave_SQL_Running"] == "Yes"
    assert status["Master_SSL_Allowed"] == status["Master_SSL_Verify_Server_Cert"] == "Yes"
    assert status["Using_Gtid"] == "Slave_Pos"


def test_the_replica_takes_no_writes(servers: DatabaseServers, connect: Connect) -> None:
    make_table(connect)
    servers.wait_for_replicas(10)
    with connect(servers.replica) as connection, pytest.raises(pymysql.OperationalError, match="read-only"):
        connection.cursor().execute("INSERT INTO t VALUES (100)")


@pytest.mark.parametrize("name", ["primary", "replica"])
def test_a_connection_without_tls_is_refused(servers: DatabaseServers, name: str) -> None:
    username, password = servers.admin_credentials
    server = getattr(servers, name)
    server.connect(username, password).close()
    with pytest.raises(pymysql.OperationalError, match=r"Access denied|insecure transport"):
        pymysql.connect(host=server.host, port=server.port, user=username, password=password, ssl_disabled=True)


def test_another_authority_and_another_host_name_are_refused(servers: DatabaseServers, tmp_path: Path) -> None:
    username, password = servers.admin_credentials
    create_certificates(tmp_path)
    stranger = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    with pytest.raises(pymysql.OperationalError, match="CERTIFICATE_VERIFY_FAILED"):
        pymysql.connect(host="127.0.0.1", port=servers.primary.port, user=username, password=password, ssl=stranger)
    trust = ssl.create_default_context(cafile=str(servers.ca))
    with pytest.raises(pymysql.OperationalError, match="CERTIFICATE_VERIFY_FAILED"):
        pymysql.connect(host="127.1", port=servers.primary.port, user=username, password=password, ssl=trust)


def test_both_host_names_are_certified(servers: DatabaseServers) -> None:
    username, password = servers.admin_credentials
    trust = ssl.create_default_context(cafile=str(servers.ca))
    for host in ("localhost", "127.0.0.1"):
        pymysql.connect(host=host, port=servers.primary.port, user=username, password=password, ssl=trust).close()


def test_committed_rows_and_replication_survive_kill_9(servers: DatabaseServers, connect: Connect) -> None:
    make_table(connect)
    for name in ("primary", "replica"):
        server = getattr(servers, name)
        port = server.port
        server.kill()
        assert server.pid is None
        server.start()
        assert server.port == port
        servers.start()
        with connect(autocommit=True) as connection, connection.cursor() as cursor:
            cursor.execute("INSERT INTO t SELECT MAX(n) + 1 FROM t")
        servers.wait_for_replicas(20)
    assert count(connect, servers, "primary") == count(connect, servers, "replica") == 5


def test_replication_resumes_by_itself_when_only_the_primary_was_away(
    servers: DatabaseServers, connect: Connect
) -> None:
    make_table(connect)
    servers.primary.kill()
    servers.primary.start()
    with connect(autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO t VALUES (100)")
    servers.wait_for_replicas(20)
    assert count(connect, servers, "replica") == 4


def test_the_admin_has_what_a_master_user_of_rds_has(servers: DatabaseServers, connect: Connect) -> None:
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
def ordinary(servers: DatabaseServers) -> Iterator[DatabaseServers]:
    """The same databases, with a primary that has the default settings, not those of the tests."""
    ordinary = DatabaseServers(servers.root)
    servers.primary.stop()
    ordinary.primary.start()
    yield ordinary
    ordinary.primary.stop()
    servers.start()


def test_settings_are_those_the_service_relies_on(ordinary: DatabaseServers, connect: Connect) -> None:
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
    servers = DatabaseServers(tmp_path / "servers")
    (tmp_path / "servers" / "primary").mkdir(parents=True)
    (tmp_path / "servers" / "primary" / "pid").write_text(str(stranger))
    servers.primary.kill()
    servers.stop()
    os.kill(stranger, 0)
    os.kill(stranger, signal.SIGKILL)
    assert os.waitpid(stranger, 0) == (stranger, signal.SIGKILL)
