"""What RDS would report of a local database server.

Names and semantics: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-metrics.html. FreeableMemory is the
memory of the machine that is available, FreeStorageSpace the space of the file system that the data are on,
CPUUtilization the share of all processors. A server here has no CPU credits, so there is no CPUCreditBalance.
"""

import os
from pathlib import Path

import pymysql
from pymysql.cursors import DictCursor

from local.database.server import DatabaseServer
from local.process import ProcessorMeter


class DatabaseMeter:
    """Measures a server, which may be down, stop and start again.

    `processors` is how many its machine has, by default as many as this one.
    """

    def __init__(self, server: DatabaseServer, processors: float | None = None) -> None:
        self._server, self._processors = server, processors or os.cpu_count() or 1
        self._processor = ProcessorMeter()

    def measure(self) -> dict[str, tuple[float, str]]:
        """Return value and unit by the name of the metric; nothing of a server that does not run.

        The first measurement of a process has no CPUUtilization.
        """
        pid = self._server.pid
        if pid is None:
            return {}
        try:
            disk = os.statvfs(self._server.data)
            values = {
                "FreeStorageSpace": (float(disk.f_bavail * disk.f_frsize), "Bytes"),
                "FreeableMemory": (_read_available_memory(), "Bytes"),
                **self._measure_processor(pid),
                **self._ask_server(),
            }
        except (OSError, pymysql.MySQLError):
            # It ended meanwhile, or does not accept connections yet.
            return {}
        return values

    def _measure_processor(self, pid: int) -> dict[str, tuple[float, str]]:
        percent = self._processor.measure_percent(pid, self._processors)
        return {} if percent is None else {"CPUUtilization": (percent, "Percent")}

    def _ask_server(self) -> dict[str, tuple[float, str]]:
        with self._server.connect_as_root() as connection, connection.cursor(DictCursor) as cursor:
            # Sessions of the server itself, and this one, do not count.
            cursor.execute(
                "SELECT COUNT(*) AS number FROM information_schema.PROCESSLIST"
                " WHERE USER NOT IN ('system user', 'event_scheduler') AND ID <> CONNECTION_ID()"
            )
            [row] = cursor.fetchall()
            values = {"DatabaseConnections": (float(row["number"]), "Count")}
            cursor.execute("SHOW REPLICA STATUS")
            for status in cursor.fetchall():
                lag = status["Seconds_Behind_Master"]
                values["ReplicaLag"] = (-1.0 if lag is None else float(lag), "Seconds")
        return values


def _read_available_memory() -> float:
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(1024 * float(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
