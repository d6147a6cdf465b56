"""The database servers and the cache as RDS and ElastiCache would report them, with their alarms.

The values are measured on the real servers. Assumed are the sizes of the machines, so that a small fault is enough: a
part of a processor, memory and disk. The CPU credits are computed from the measured CPU, with a rate that empties them
soon.
"""

import time
from functools import cache
from pathlib import Path
from typing import Any

from local.database.meter import DatabaseMeter
from local.database.server import DatabaseServer
from local.process import ProcessorMeter
from ops.template import read_template
from tests.drill.alarm_site import AlarmSite
from tools.monitoring.alarms import database

PROCESSORS = 0.4
DISK_BYTES = 8 * 1024**3
SPARE_MEMORY_BYTES = 300 * 1024**2
# Credits: the most that are stored, and what a second without load earns or with full load costs.
MAX_CREDITS, CREDITS_PER_SECOND = 24.0, 3.0
CACHE = "cache"
# The parameters that limit the connections of the functions.
CONCURRENCY = ("LoadConcurrency", "PrimaryReadConcurrency", "ReadConcurrency")
_ALARMED_CONDITIONS = ("OwnDatabase", "OwnCache", "HasReplica", "Burstable")


class InstanceMeter:
    """Measures a database server as an instance with the assumed sizes."""

    def __init__(self, server: DatabaseServer) -> None:
        self._server, self._meter = server, DatabaseMeter(server, PROCESSORS)
        self._pid, self._memory_bytes = 0, 0
        self._credits, self._measured_at = MAX_CREDITS, time.monotonic()

    def measure(self) -> dict[str, float]:
        values = {name: value for name, (value, _) in self._meter.measure().items()}
        now = time.monotonic()
        passed, self._measured_at = now - self._measured_at, now
        values["FreeableMemory"] = float(self._measure_free_memory())
        values["FreeStorageSpace"] = float(DISK_BYTES - _measure_folder(self._server.data))
        if "CPUUtilization" in values:
            values["CPUCreditBalance"] = self._update_credits(passed, values["CPUUtilization"])
        return values

    def _measure_free_memory(self) -> int:
        """A server that was started again begins with the spare memory."""
        pid = self._server.pid
        assert pid
        used = _read_memory_bytes(pid)
        if pid != self._pid:
            self._pid, self._memory_bytes = pid, used + SPARE_MEMORY_BYTES
        return max(0, self._memory_bytes - used)

    def _update_credits(self, passed: float, percent: float) -> float:
        change = CREDITS_PER_SECOND * passed * (1 - 2 * percent / 100)
        self._credits = min(MAX_CREDITS, max(0.0, self._credits + change))
        return self._credits


def _read_memory_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


def _measure_folder(folder: Path) -> int:
    """The sizes of its files as they say them, so that a sparse file counts as a full one."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


class Instances:
    """The instances of a site. Those of the database have the names of the servers' folders: `primary`, `replica-1`."""

    def __init__(self, site: AlarmSite) -> None:
        self.site, self.servers = site, site.stack.servers.all
        self._meters = {server.directory.name: InstanceMeter(server) for server in self.servers}
        # Not the meter of `local.cache`: a cache that runs scripts does not answer it.
        self._cache_processor = ProcessorMeter()

    def report(self) -> None:
        """Put the metrics of all instances into the local CloudWatch."""
        for name, meter in self._meters.items():
            self._put_values("AWS/RDS", "DBInstanceIdentifier", name, meter.measure())
        pid = self.site.stack.cache.pid
        assert pid
        percent = self._cache_processor.measure_percent(pid, PROCESSORS)
        if percent is not None:
            self._put_values("AWS/ElastiCache", "CacheClusterId", f"{CACHE}-001", {"EngineCPUUtilization": percent})

    def _put_values(self, namespace: str, dimension: str, instance: str, values: dict[str, float]) -> None:
        dimensions = [{"Name": dimension, "Value": instance}]
        data: list[dict[str, Any]] = [
            {"MetricName": name, "Dimensions": dimensions, "Value": value} for name, value in values.items()
        ]
        self.site.client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=data)


def list_instance_alarms() -> list[str]:
    """The alarms on RDS and ElastiCache, which a local stack does not have."""
    resources = read_template()["Resources"]
    return [
        name
        for name, entry in resources.items()
        if entry["Type"] == "AWS::CloudWatch::Alarm" and entry.get("Condition", "").startswith(_ALARMED_CONDITIONS)
    ]


@cache
def get_instances(site: AlarmSite) -> Instances:
    """The instances of a site. The first call also adds their alarms."""
    # The alarms of the replicas that the local stack lacks watch its second one.
    replicas = {name: f"replica-{min(number, 2)}" for number, name in enumerate(database.REPLICAS, start=1)}
    parameters = {"Primary": "primary", **replicas, "Cache": CACHE}
    defaults = {name: str(read_template()["Parameters"][name]["Default"]) for name in CONCURRENCY}
    site.add_alarms(list_instance_alarms(), {**parameters, **defaults})
    return Instances(site)


def report(site: AlarmSite) -> None:
    get_instances(site).report()
