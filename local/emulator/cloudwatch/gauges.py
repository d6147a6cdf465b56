"""Gap: nothing measures gauges, the metrics that have a value at any time. Here a thread stores these each minute.

- ApproximateNumberOfMessagesVisible of each queue
  (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html)
- What RDS and ElastiCache report, of the servers of the local stack (`local.database.meter`, `local.cache.meter`),
  under the identifiers `sluice-local-primary`, `sluice-local-replica-1` and `sluice-local-001`
- The age of the oldest record that a stream has not delivered, and the limits of a stream (`firehose.metrics`)
"""

import logging
import os
import threading
import time
from pathlib import Path
from typing import Protocol

from ministack.core.responses import request_scope
from ministack.services import sqs

from local.emulator.cloudwatch import metric_store
from local.emulator.environment import CACHE_FOLDER, DATABASE_FOLDER, read_minute
from local.emulator.firehose import operations
from local.emulator.firehose.ministack import wait_for_server

_logger = logging.getLogger("sluice.emulator")


class Meter(Protocol):
    def measure(self) -> dict[str, tuple[float, str]]:
        """Return value and unit by the name of the metric."""


def measure_queues() -> None:
    """Store the visible messages of all queues."""
    now = time.time()
    for (account, region, _), queue in list(sqs._queues._data.items()):
        messages = list(queue["messages"])
        visible = sum(message["visible_at"] <= now for message in messages)
        with request_scope(account, region):
            dimensions = {"QueueName": queue["name"]}
            metric_store.record("AWS/SQS", "ApproximateNumberOfMessagesVisible", visible, "Count", dimensions)


def list_meters() -> list[tuple[str, dict[str, str], Meter]]:
    """The servers that are measured: namespace, dimensions and meter of each."""
    meters: list[tuple[str, dict[str, str], Meter]] = []
    database, cache = os.environ.get(DATABASE_FOLDER), os.environ.get(CACHE_FOLDER)
    # Only an emulator of a stack needs these packages.
    if database:
        from local.database.meter import DatabaseMeter  # noqa: PLC0415
        from local.database.servers import DatabaseServers  # noqa: PLC0415

        servers = DatabaseServers(Path(database))
        for server in servers.all:
            dimensions = {"DBInstanceIdentifier": f"sluice-local-{server.directory.name}"}
            meters.append(("AWS/RDS", dimensions, DatabaseMeter(server)))
    if database and cache:
        from local.cache.meter import CacheMeter  # noqa: PLC0415
        from local.cache.server import CacheServer  # noqa: PLC0415

        meter = CacheMeter(CacheServer(Path(cache), Path(database) / "tls"))
        meters.append(("AWS/ElastiCache", {"CacheClusterId": "sluice-local-001"}, meter))
    return meters


def _read_count() -> int:
    """The number of replicas, which `make up REPLICAS=n` changes while the emulator runs."""
    database = os.environ.get(DATABASE_FOLDER)
    if not database:
        return 0
    from local.database.replica_count import read_replica_count  # noqa: PLC0415

    return read_replica_count(Path(database))


def measure_servers(meters: list[tuple[str, dict[str, str], Meter]]) -> None:
    for namespace, dimensions, meter in meters:
        values = [(name, value, unit) for name, (value, unit) in meter.measure().items()]
        metric_store.record_values(namespace, dimensions, values)


def _run(minute: float) -> None:
    wait_for_server()
    pause = threading.Event()
    meters, count = list_meters(), _read_count()
    while True:
        try:
            if count != _read_count():
                meters, count = list_meters(), _read_count()
            measure_queues()
            operations.measure_streams()
            measure_servers(meters)
        except Exception:
            # The gauges must be measured in the next minute too.
            _logger.exception("The gauges could not be measured.")
        pause.wait(minute - time.time() % minute)


def patch() -> None:
    threading.Thread(target=_run, args=(read_minute(),), daemon=True, name="gauges").start()
