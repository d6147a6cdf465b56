"""The read replica, which replicates from the primary by GTID over TLS."""

from typing import Any

from pymysql.cursors import DictCursor

from local.database.accounts import Account
from local.database.server import DatabaseServer
from local.process import LocalError

_ANSWER_SECONDS = 60.0


class ReplicaServer(DatabaseServer):
    """A server that replicates another one, unless it was promoted."""

    @property
    def primary(self) -> DatabaseServer:
        """The server that it replicates. Raises LocalError if there is none."""
        source = self.role.source
        if not source:
            raise LocalError(f"The {self.name} database replicates no other.")
        return DatabaseServer(self.directory.parent / source, certificates=self.certificates, settings=())

    def start_replication(self, account: Account) -> None:
        """Start replication from the current port of its source, unless it already runs or it has no source."""
        if not self.role.source or self._is_replicating():
            return
        with self.connect_as_root(_ANSWER_SECONDS) as connection, connection.cursor() as cursor:
            cursor.execute("STOP SLAVE")
            cursor.execute(
                "CHANGE MASTER TO MASTER_HOST = %s, MASTER_PORT = %s, MASTER_USER = %s, MASTER_PASSWORD = %s,"
                " MASTER_SSL = 1, MASTER_SSL_CA = %s, MASTER_SSL_VERIFY_SERVER_CERT = 1,"
                " MASTER_USE_GTID = slave_pos, MASTER_CONNECT_RETRY = 1, MASTER_HEARTBEAT_PERIOD = 5",
                (
                    self.primary.host,
                    self.primary.port,
                    account.username,
                    account.password,
                    str(self.certificates / "ca.pem"),
                ),
            )
            cursor.execute("START SLAVE")

    def _is_replicating(self) -> bool:
        status = self.read_replication_status()
        threads_run = status.get("Slave_IO_Running") == status.get("Slave_SQL_Running") == "Yes"
        return threads_run and status["Master_Port"] == self.primary.port

    def read_replication_status(self, seconds: float = _ANSWER_SECONDS) -> dict[str, Any]:
        """`SHOW REPLICA STATUS`, with MariaDB's names. A server that hangs has `seconds` to answer."""
        with self.connect_as_root(seconds) as connection, connection.cursor(DictCursor) as cursor:
            cursor.execute("SHOW REPLICA STATUS")
            return dict(cursor.fetchone() or {})

    def has_caught_up(self) -> bool:
        """Whether the replica has applied everything that the primary has committed so far."""
        return self._wait_for_position(self._read_primary_position(), seconds=0)

    def wait_until_caught_up(self, seconds: float = 30) -> None:
        """Return when the replica has applied everything that the primary has committed so far. Raises LocalError with
        the reason."""
        if not self._wait_for_position(self._read_primary_position(), seconds):
            status = self.read_replication_status()
            reason = status.get("Last_SQL_Error") or status.get("Last_IO_Error") or "it still lags"
            raise LocalError(f"The replica did not catch up within {seconds:.0f} seconds: {reason}.", self.log)

    def _read_primary_position(self) -> str:
        with self.primary.connect_as_root() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT @@gtid_binlog_pos")
            row = cursor.fetchone()
        return str(row[0]) if row else ""

    def _wait_for_position(self, position: str, seconds: float) -> bool:
        with self.connect_as_root() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT MASTER_GTID_WAIT(%s, %s)", (position, seconds))
            row = cursor.fetchone()
        return row is not None and row[0] == 0
