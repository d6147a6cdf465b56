"""Alarms on the size of each database instance."""

from functools import partial

from tools.monitoring import metrics, runbooks
from tools.monitoring.model import Alarm, Expression, Metric, Sub

REPLICAS = ("Replica", "Replica2", "Replica3", "Replica4", "Replica5")
INSTANCES = ("Primary", *REPLICAS)
# The conditions of the template without which an instance does not exist.
CONDITIONS = {"Primary": "OwnDatabase", **{replica: f"Has{replica}" for replica in REPLICAS}}
# What reports, logs and the metric ReplicaSkipped call the replicas: by their place among the endpoints of reads.
NAMES = {replica: f"replica-{number}" for number, replica in enumerate(REPLICAS, 1)}
_MEBIBYTE = 2**20

_create_alarm = partial(
    Alarm,
    runbook=runbooks.DATABASE_TOO_SMALL,
    missing="unknown",
    reports_end=True,
)


def _create_connections_alarm(instance: str, parameters: tuple[str, ...], work: str) -> Alarm:
    connections: Metric = metrics.CONNECTIONS
    allowed = " and ".join(parameters)
    return _create_alarm(
        name=f"{instance}ConnectionsAlarm",
        says=(
            f"{instance} has had 20 connections more than its functions need with {allowed}, for 15 minutes. "
            "Something else connects, or connections are left open; near the limit of the instance class, "
            f"{work} fail. SHOW PROCESSLIST names them."
        ),
        condition=CONDITIONS[instance],
        watches=Expression(
            Sub(" - ".join(["connections", *(f"${{{parameter}}}" for parameter in parameters)])),
            {"connections": connections.of(instance, "Minimum", 300)},
            result="excess",
        ),
        threshold=20,
        periods=3,
    )


ALARMS = (
    *(
        _create_alarm(
            name=f"{instance}StorageAlarm",
            says=(
                f"The database instance {instance} has less than 5 GiB of free storage. A full primary takes no loads; "
                "a full replica serves stale reads. Raise DatabaseStorage."
            ),
            runbook=runbooks.STORAGE_FULL,
            condition=CONDITIONS[instance],
            watches=metrics.FREE_STORAGE.of(instance, "Minimum", 300),
            comparison="below",
            threshold=5120 * _MEBIBYTE,
        )
        for instance in INSTANCES
    ),
    *(
        _create_alarm(
            name=f"{instance}ProcessorAlarm",
            says=(
                f"The database instance {instance} has used more than 90% of its CPU for 15 minutes. Loads or reads "
                "are slow. After a replay it passes by itself; otherwise choose a larger DatabaseInstanceClass."
            ),
            watches=metrics.PROCESSOR.of(instance, "Average", 300),
            threshold=90,
            periods=3,
            condition=CONDITIONS[instance],
        )
        for instance in INSTANCES
    ),
    *(
        _create_alarm(
            name=f"{instance}CreditsAlarm",
            says=(
                f"The burstable database instance {instance} has had almost no CPU credits for 2 hours. RDS bills the "
                "CPU above the baseline from then on. If that lasts, choose a class with fixed performance."
            ),
            watches=metrics.CREDITS.of(instance, "Maximum", 300),
            comparison="below",
            # A new instance starts without credits and earns at least 12 an hour, so 2 hours after the first deploy
            # there are more.
            threshold=12,
            periods=24,
            condition=f"Burstable{instance}",
        )
        for instance in INSTANCES
    ),
    *(
        _create_alarm(
            name=f"{instance}MemoryAlarm",
            says=(
                f"The database instance {instance} has had less than 128 MiB of free memory for 15 minutes. It swaps, "
                "or MariaDB is killed next. Choose a larger DatabaseInstanceClass or fewer connections."
            ),
            watches=metrics.FREE_MEMORY.of(instance, "Maximum", 300),
            comparison="below",
            threshold=128 * _MEBIBYTE,
            periods=3,
            condition=CONDITIONS[instance],
        )
        for instance in INSTANCES
    ),
    # Reads use the primary in a stack without replicas.
    _create_connections_alarm("Primary", ("LoadConcurrency", "PrimaryReadConcurrency"), "loads"),
    *(_create_connections_alarm(replica, ("ReadConcurrency",), "reads") for replica in REPLICAS),
)
