"""Alarms on what reads meet: the function, the replica's lag, the read cache."""

from tools.monitoring import metrics, runbooks
from tools.monitoring.alarms.database import CONDITIONS, REPLICAS
from tools.monitoring.model import Alarm, Expression

ALARMS = (
    # Reads that wait for a write (Prefer: wait) count too, so the median decides.
    Alarm(
        name="ReadLatencyAlarm",
        says=(
            "Half of the reads that reach the function have taken over 2.5 seconds for 5 minutes. It is the replica, "
            "or clients that wait for their writes; the traces show which."
        ),
        runbook=runbooks.REQUESTS_SLOW,
        watches=metrics.FUNCTION_DURATION.of("GetFunction", "p50"),
        threshold=2500,
        periods=5,
        reports_end=True,
    ),
    *(
        Alarm(
            name=f"{replica}LagAlarm",
            says=(
                f"{replica} lags more than one minute behind the primary, or its replication is broken. Reads from it "
                "are stale."
            ),
            runbook=runbooks.REPLICA_LAGS,
            # RDS reports -1 while replication is broken.
            watches=Expression(
                "IF(lag < 0, 86400, lag)", {"lag": metrics.REPLICA_LAG.of(replica, "Maximum")}, result="lag_or_broken"
            ),
            threshold=60,
            periods=3,
            missing="unknown",
            reports_end=True,
            condition=CONDITIONS[replica],
        )
        for replica in REPLICAS
    ),
    Alarm(
        name="CacheUnavailableAlarm",
        says=(
            "The functions could not use the read cache for 3 minutes. Reads use the replica meanwhile, with the same "
            "results."
        ),
        runbook=runbooks.READ_CACHE_UNAVAILABLE,
        watches=metrics.CACHE_UNAVAILABLE.of_stack("Sum"),
        periods=3,
        reports_end=True,
        condition="Cached",
    ),
    Alarm(
        name="CacheProcessorAlarm",
        says="The read cache has used more than 90% of its CPU for 3 minutes. Choose a larger CacheNodeType.",
        runbook=runbooks.READ_CACHE_UNAVAILABLE,
        watches=metrics.CACHE_PROCESSOR.of("Cache", "Average"),
        threshold=90,
        periods=3,
        reports_end=True,
        condition="OwnCache",
    ),
)
