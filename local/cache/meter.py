"""What ElastiCache would report of the local cache.

Source:
https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheMetrics.Redis.html.
EngineCPUUtilization is that of the thread that runs commands.
"""

import time

from local.cache.server import CacheServer

# Metrics that count since the last measurement, with the fields of INFO that count since the start.
_COUNTED = {"CacheHits": "keyspace_hits", "CacheMisses": "keyspace_misses", "Evictions": "evicted_keys"}


class CacheMeter:
    """Measures a cache, which may be down, stop and start again."""

    def __init__(self, server: CacheServer) -> None:
        self._server = server
        # Time, and fields of INFO, of the last measurement.
        self._before: tuple[float, dict[str, float]] | None = None

    def measure(self) -> dict[str, tuple[float, str]]:
        """Return value and unit by the name of the metric; nothing of a cache that does not run.

        The first measurement has only what is not relative to an earlier one.
        """
        try:
            fields = self._server.read_information()
        except OSError:
            self._before = None
            return {}
        now, before = time.monotonic(), self._before
        self._before = now, fields
        used = 100 * fields["used_memory"] / fields["maxmemory"] if fields["maxmemory"] else 0.0
        values = {
            "DatabaseMemoryUsagePercentage": (used, "Percent"),
            "CurrConnections": (fields["connected_clients"], "Count"),
        }
        if before is None or before[1]["uptime_in_seconds"] > fields["uptime_in_seconds"]:
            return values
        processor = _sum_processor(fields) - _sum_processor(before[1])
        share = min(100.0, 100 * processor / max(now - before[0], 0.001))
        counted = {name: (fields[field] - before[1][field], "Count") for name, field in _COUNTED.items()}
        return {**values, **counted, "EngineCPUUtilization": (share, "Percent")}


def _sum_processor(fields: dict[str, float]) -> float:
    names = ("used_cpu_sys_main_thread", "used_cpu_user_main_thread")
    if names[0] not in fields:
        names = ("used_cpu_sys", "used_cpu_user")
    return sum(fields[name] for name in names)
