"""What RDS and ElastiCache would report of the local servers, put into the local CloudWatch.

The values are measured on the real servers: connections, seconds behind the primary, CPU and memory of the process,
size of the data directory. Assumed are the sizes of the machine, so that a small fault is enough: a part of a
processor, memory and disk. The CPU credits are computed from the measured CPU, with a rate that empties them soon.
"""

import time
from pathlib import Path
from typing import Any

from local.database.server import DatabaseServer
from local.process import read_processor_seconds
from tests.drill.alarm_site import AlarmSite

PROCESSORS = 0.4
DISK_BYTES = 8 * 1024**3
SPARE_MEMORY_BYTES = 300 * 1024**2
# Credits: the most that are kept, and what a second without load earns or with full load costs.
MAX_CREDITS, CREDITS_PER_SECOND = 24.0, 3.0


class ProcessMeter:
    """Measures the processor time of a process between two calls of `measure_percent`."""

    def __init__(self, pid: int) -> None:
        self._pid, self._before = pid, (time.monotonic(), read_processor_seconds(pid))

    def measure_percent(self) -> float:
        """The share of the assumed processors in percent, at most 100."""
        now = (time.monotonic(), read_processor_seconds(self._pid))
        passed, used = now[0] - self._before[0], now[1] - self._before[1]
        self._before = now
        return min(100.0, 100 * used / max(passed, 0.001) / PROCESSORS)

    def read_memory_bytes(self) -> int:
        lines = Path(f"/proc/{self._pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


class InstanceMeter:
    """Reports a database server as RDS reports an instance, named by its folder: `primary` or `replica`."""

    def __init__(self, site: AlarmSite, server: DatabaseServer) -> None:
        assert server.pid
        self._site, self._server, self._process = site, server, ProcessMeter(server.pid)
        self._memory = self._process.read_memory_bytes() + SPARE_MEMORY_BYTES
        self._credits, self._measured_at = MAX_CREDITS, time.monotonic()
        self.name = server.directory.name

    def measure(self) -> dict[str, float]:
        percent = self._process.measure_percent()
        passed = time.monotonic() - self._measured_at
        self._measured_at += passed
        change = CREDITS_PER_SECOND * passed * (1 - 2 * percent / 100)
        self._credits = min(MAX_CREDITS, max(0.0, self._credits + change))
        values = {
            "CPUUtilization": percent,
            "CPUCreditBalance": self._credits,
            "FreeableMemory": float(max(0, self._memory - self._process.read_memory_bytes())),
            "FreeStorageSpace": float(DISK_BYTES - _measure_folder(self._server.data)),
        }
        with self._server.connect_as_root() as connection, connection.cursor() as cursor:
            cursor.execute("SHOW STATUS LIKE 'Threads_connected'")
            values["DatabaseConnections"] = float(cursor.fetchall()[0][1])
            cursor.execute("SHOW REPLICA STATUS")
            columns = [column[0] for column in cursor.description or ()]
            for row in cursor.fetchall():
                behind = dict(zip(columns, row, strict=True))["Seconds_Behind_Master"]
                # RDS reports -1 when the replication is broken.
                values["ReplicaLag"] = -1.0 if behind is None else float(behind)
        return values

    def report(self) -> None:
        put_values(self._site, "AWS/RDS", "DBInstanceIdentifier", self.name, self.measure())


def put_values(site: AlarmSite, namespace: str, dimension: str, value: str, values: dict[str, float]) -> None:
    dimensions = [{"Name": dimension, "Value": value}]
    data: list[dict[str, Any]] = [
        {"MetricName": name, "Dimensions": dimensions, "Value": number} for name, number in values.items()
    ]
    site.client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=data)


def _measure_folder(folder: Path) -> int:
    """The sizes of its files as they say them, so that a sparse file counts as a full one."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
