"""The dashboard: the write path from left to right, then each part with the state of its alarms.

A test fails for an alarm that no section has.
"""

from ops.cost.estimate import BATCH_TRANSITIONS, RECOVERY_TRANSITIONS
from tools.monitoring import metrics
from tools.monitoring.alarms import database, functions, read_path, service_levels, workflows, write_path
from tools.monitoring.model import Metric, Series
from tools.monitoring.widgets import Graph, Line, Section, use_parameter

_HOUR = 3600
_API_FUNCTIONS = ("PostFunction", "PutFunction", "DeleteFunction", "GetFunction")
_INSTANCES = ("Primary", "Replica")

_FUNCTIONS_FAIL = "capacity.md#a-function-fails"
_THROTTLED = "capacity.md#a-function-is-throttled"
_QUOTA = "capacity.md#the-stream-reaches-its-quota"
_FIREHOSE = "firehose-errors.md#firehose-errors"
_PARKED = "parked-batches.md"
_REPLICA_LAGS = "outages.md#the-replica-lags"
_TOO_SMALL = "capacity.md#the-database-is-too-small"
_COST = "capacity.md#the-bill-grows"


def _show(series: Series, label: str, key: str = "") -> Line:
    return Line(shows=series, label=label, key=key)


def _show_each(metric: Metric, resources: tuple[str, ...], statistic: str, period: int = 60) -> tuple[Line, ...]:
    return tuple(_show(metric.of(name, statistic, period), name.removesuffix("Function")) for name in resources)


_SERVICE_LEVELS = Section(
    title="Service levels",
    text="What clients are promised, as the canary measures it through the public address.",
    graphs=(
        Graph(
            title="Writes of the canary",
            width=8,
            runbook="service-levels.md#writes-are-not-accepted",
            lines=(
                _show(metrics.CANARY_WRITES.of("CanaryFunction", "Sum", 300), "tried"),
                _show(metrics.CANARY_WRITES_FAILED.of("CanaryFunction", "Sum", 300), "not accepted"),
            ),
            condition="CanaryScheduled",
        ),
        Graph(
            title="Reads of the canary",
            width=8,
            runbook="service-levels.md#reads-are-not-answered",
            lines=(
                _show(metrics.CANARY_READS.of("CanaryFunction", "Sum", 300), "tried"),
                _show(metrics.CANARY_READS_FAILED.of("CanaryFunction", "Sum", 300), "not answered"),
            ),
            condition="CanaryScheduled",
        ),
        Graph(
            title="From accepted to readable",
            width=8,
            runbook="service-levels.md#writes-are-readable-too-late",
            unit="seconds",
            lines=(
                _show(metrics.CANARY_READABLE_SECONDS.of("CanaryFunction", "p50", _HOUR), "p50 of an hour"),
                _show(metrics.CANARY_READABLE_SECONDS.of("CanaryFunction", "p99", _HOUR), "p99"),
                _show(metrics.CANARY_WAITS.of("CanaryFunction", "Sum", _HOUR), "writes awaited"),
                _show(metrics.CANARY_WAITS_FAILED.of("CanaryFunction", "Sum", _HOUR), "readable too late"),
            ),
            condition="CanaryScheduled",
        ),
    ),
    alarms=(*service_levels.COMPOSITE_ALARMS, *service_levels.CANARY_ALARMS),
)

_WRITE_PATH = Section(
    title="Write path",
    text="From left to right: what arrives, what is accepted, what waits in the stream, what is loaded. Each minute.",
    graphs=(
        Graph(
            title="1 Requests",
            width=4,
            runbook="outages.md#requests-fail-with-5xx",
            lines=(
                _show(metrics.EDGE_REQUESTS.of("Distribution", "Sum"), "at the edge"),
                _show(metrics.API_REQUESTS.of("Api", "Sum"), "at the API"),
                _show(metrics.CLIENT_ERRORS.of("Api", "Sum"), "4xx"),
                _show(metrics.SERVER_ERRORS.of("Api", "Sum"), "5xx"),
            ),
        ),
        Graph(
            title="2 Accepted",
            width=4,
            runbook="outages.md#requests-fail-with-5xx",
            lines=(
                _show(metrics.WRITES_ACCEPTED.of("PostFunction", "Sum"), "writes accepted"),
                _show(metrics.WRITES_REFUSED.of("PostFunction", "Sum"), "writes refused"),
            ),
        ),
        Graph(
            title="3 In the stream",
            width=4,
            runbook=_QUOTA,
            lines=(
                _show(metrics.STREAM_QUOTAS["Records"][0].of("WriteStream", "Sum"), "records received"),
                _show(metrics.RECORDS_THROTTLED.of("WriteStream", "Sum"), "records refused"),
                _show(metrics.RECORDS_FAILED.of("TransformFunction", "Sum"), "records that are no writes"),
            ),
        ),
        Graph(
            title="4 Waiting in the stream",
            width=4,
            runbook=_FIREHOSE,
            unit="seconds",
            lines=(
                _show(metrics.DELIVERY_FRESHNESS.of("WriteStream", "Maximum"), "for a batch"),
                _show(metrics.ARCHIVE_FRESHNESS.of("WriteStream", "Maximum"), "for the archive"),
            ),
        ),
        Graph(
            title="5 Batches",
            width=4,
            runbook=_PARKED,
            lines=(
                _show(metrics.EXECUTIONS_STARTED.of("LoadBatch", "Sum"), "delivered"),
                _show(metrics.BATCHES_LOADED.of("LoadFunction", "Sum"), "loaded"),
                _show(metrics.EXECUTIONS_FAILED.of("LoadBatch", "Sum"), "parked or quarantined"),
            ),
        ),
        Graph(
            title="6 Applied",
            width=4,
            runbook="rejected-writes.md#writes-are-rejected",
            lines=(
                _show(metrics.WRITES_APPLIED.of("LoadFunction", "Sum"), "writes applied"),
                _show(metrics.WRITES_STALE.of("LoadFunction", "Sum"), "stale"),
                _show(metrics.WRITES_REJECTED.of("LoadFunction", "Sum"), "rejected"),
            ),
        ),
    ),
    alarms=write_path.ALARMS,
)

_LOADING = Section(
    title="Loading and recovery",
    text=(
        "How long a write takes to be readable, and what was not loaded. Waiting batches are those delivered and not "
        "yet loaded above; missing ones are counted by each recovery."
    ),
    graphs=(
        Graph(
            title="From accepted to loaded",
            runbook="outages.md#the-database-is-unavailable",
            unit="milliseconds",
            lines=(
                _show(metrics.LOAD_LAG.of("LoadFunction", "p50"), "p50 of the batches"),
                _show(metrics.LOAD_LAG.of("LoadFunction", "p99"), "p99"),
            ),
        ),
        Graph(
            title="Missing batches",
            runbook=_PARKED,
            lines=(
                _show(metrics.BATCHES_MISSING.of("PlanFunction", "Maximum"), "missing: parked, or never loaded"),
                _show(metrics.BATCHES_REPLAYED.of("ReportFunction", "Sum"), "replayed"),
                _show(metrics.BATCHES_ALREADY_LOADED.of("LoadFunction", "Sum"), "loaded before"),
            ),
        ),
        Graph(
            title="Set aside",
            runbook="unreadable-batches.md#a-batch-is-in-quarantine",
            lines=(
                _show(metrics.BATCHES_QUARANTINED.of("QuarantineFunction", "Sum"), "batches quarantined"),
                _show(metrics.QUEUED_EVENTS.of("EventDeadLetters", "Maximum"), "dead letters"),
                _show(metrics.REJECTED_WRITES_RETRIED.of("RejectedWritesFunction", "Sum"), "rejected writes retried"),
                _show(metrics.MIGRATIONS_UNDONE.of("MigrateFunction", "Sum"), "migrations undone"),
            ),
        ),
        Graph(
            title="Workflows",
            runbook="capacity.md#a-workflow-failed-or-was-stopped",
            lines=(
                *(
                    _show(metrics.EXECUTIONS_STARTED.of(workflow, "Sum", 300), f"{workflow} started")
                    for workflow in ("Recover", "Replay", "Rebuild")
                ),
                *(
                    _show(metrics.EXECUTIONS_FAILED.of(workflow, "Sum", 300), f"{workflow} failed")
                    for workflow in ("Recover", "Replay", "Rebuild")
                ),
            ),
        ),
    ),
    alarms=workflows.ALARMS,
)

_READING = Section(
    title="Reading and caches",
    text="CloudFront answers the requests at the edge that do not reach the API, or blocks them.",
    graphs=(
        Graph(
            title="Reads that reach the function",
            width=5,
            runbook="capacity.md#requests-are-slow",
            unit="milliseconds",
            lines=(
                _show(metrics.FUNCTION_DURATION.of("GetFunction", "p50"), "p50"),
                _show(metrics.FUNCTION_DURATION.of("GetFunction", "p99"), "p99"),
            ),
        ),
        Graph(
            title="API Gateway's cache",
            width=5,
            runbook="capacity.md#requests-are-slow",
            unit="% hits",
            lines=(
                Line(shows=metrics.API_CACHE_HITS.of("Api", "Sum", 300), key="hits"),
                Line(shows=metrics.API_CACHE_MISSES.of("Api", "Sum", 300), key="misses"),
                Line(shows="100 * hits / (hits + misses)", label="hit rate", key="rate"),
            ),
        ),
        Graph(
            title="Read cache",
            width=5,
            runbook="outages.md#the-read-cache-is-unavailable",
            unit="%",
            condition="OwnCache",
            lines=(
                Line(shows=metrics.READ_CACHE_HITS.of("Cache", "Sum", 300), key="hits"),
                Line(shows=metrics.READ_CACHE_MISSES.of("Cache", "Sum", 300), key="misses"),
                Line(shows="100 * hits / (hits + misses)", label="hit rate", key="rate"),
                _show(metrics.CACHE_PROCESSOR.of("Cache", "Average", 300), "CPU"),
                _show(metrics.READ_CACHE_MEMORY.of("Cache", "Average", 300), "memory"),
            ),
        ),
        Graph(
            title="Read cache unavailable",
            width=4,
            runbook="outages.md#the-read-cache-is-unavailable",
            condition="Cached",
            lines=(_show(metrics.CACHE_UNAVAILABLE.of("GetFunction", "Sum"), "invocations without it"),),
        ),
        Graph(
            title="Replica's lag",
            width=5,
            minimum=-1,
            runbook=_REPLICA_LAGS,
            unit="seconds; -1: broken",
            condition="OwnDatabase",
            lines=(_show(metrics.REPLICA_LAG.of("Replica", "Maximum"), "behind the primary"),),
        ),
    ),
    alarms=read_path.ALARMS,
)

_DATABASE = Section(
    title="Database",
    text="Primary and replica. The replica serves reads, the primary loads only.",
    graphs=(
        Graph(
            title="CPU",
            runbook=_TOO_SMALL,
            unit="%",
            condition="OwnDatabase",
            lines=_show_each(metrics.PROCESSOR, _INSTANCES, "Average", 300),
        ),
        Graph(
            title="Connections",
            runbook=_TOO_SMALL,
            condition="OwnDatabase",
            limits=(
                ("LoadConcurrency", use_parameter("LoadConcurrency")),
                ("ReadConcurrency", use_parameter("ReadConcurrency")),
            ),
            lines=_show_each(metrics.CONNECTIONS, _INSTANCES, "Maximum", 300),
        ),
        Graph(
            title="Free storage and memory",
            runbook="capacity.md#the-storage-of-the-database-is-full",
            unit="bytes",
            condition="OwnDatabase",
            lines=(
                *(_show(metrics.FREE_STORAGE.of(name, "Minimum", 300), f"{name} storage") for name in _INSTANCES),
                *(_show(metrics.FREE_MEMORY.of(name, "Minimum", 300), f"{name} memory") for name in _INSTANCES),
            ),
        ),
        Graph(
            title="CPU credits",
            runbook=_TOO_SMALL,
            condition="BurstableDatabase",
            lines=_show_each(metrics.CREDITS, _INSTANCES, "Minimum", 300),
        ),
    ),
    alarms=database.ALARMS,
)

_FUNCTIONS = Section(
    title="Functions and quotas",
    text=(
        "Errors and throttles of the functions that clients, Firehose or batches wait for (the alarms watch the others "
        "too); how much of the quotas is in use."
    ),
    graphs=(
        Graph(
            title="Errors",
            runbook=_FUNCTIONS_FAIL,
            lines=_show_each(metrics.FUNCTION_ERRORS, (*_API_FUNCTIONS, "TransformFunction", "LoadFunction"), "Sum"),
        ),
        Graph(
            title="Throttles",
            runbook=_THROTTLED,
            lines=_show_each(metrics.FUNCTION_THROTTLES, (*_API_FUNCTIONS, "TransformFunction", "LoadFunction"), "Sum"),
        ),
        Graph(
            title="Concurrency",
            runbook=_THROTTLED,
            limits=(
                ("WriteConcurrency", use_parameter("WriteConcurrency")),
                ("ReadConcurrency", use_parameter("ReadConcurrency")),
                ("LoadConcurrency", use_parameter("LoadConcurrency")),
            ),
            lines=_show_each(metrics.FUNCTION_CONCURRENCY, (*_API_FUNCTIONS, "LoadFunction"), "Maximum"),
        ),
        Graph(
            title="Quotas of the stream",
            runbook=_QUOTA,
            unit="% in use",
            limits=(("alarm", 80),),
            lines=tuple(
                line
                for number, (quota, (incoming, limit)) in enumerate(metrics.STREAM_QUOTAS.items())
                for line in (
                    Line(shows=incoming.of("WriteStream", "Sum", 300), key=f"incoming{number}"),
                    Line(shows=limit.of("WriteStream", "Minimum", 300), key=f"limit{number}"),
                    Line(shows=f"100 * incoming{number} / 300 / limit{number}", label=quota, key=f"used{number}"),
                )
            ),
        ),
    ),
    alarms=functions.ALARMS,
)

_COSTS = Section(
    title="Cost drivers",
    text="What the bill grows with, by the hour. `sluice cost` says what each costs.",
    graphs=(
        Graph(
            title="Requests an hour",
            runbook=_COST,
            lines=(
                _show(metrics.EDGE_REQUESTS.of("Distribution", "Sum", _HOUR), "at the edge"),
                _show(metrics.API_REQUESTS.of("Api", "Sum", _HOUR), "at the API"),
            ),
        ),
        Graph(
            title="Stream, GB an hour",
            runbook=_COST,
            unit="GB; a record counts as 5 KB at least",
            lines=(
                Line(shows=metrics.STREAM_QUOTAS["Bytes"][0].of("WriteStream", "Sum", _HOUR), key="bytes"),
                Line(shows=metrics.STREAM_QUOTAS["Records"][0].of("WriteStream", "Sum", _HOUR), key="records"),
                Line(shows="bytes / 1000000000", label="received", key="received"),
                Line(
                    shows="IF(records * 5000 > bytes, records * 5000, bytes) / 1000000000",
                    label="billed at least",
                    key="billed",
                ),
            ),
        ),
        Graph(
            title="Functions, GB-seconds an hour",
            runbook=_COST,
            lines=(
                *(
                    Line(shows=metrics.FUNCTION_DURATION.of(name, "Sum", _HOUR), key=f"f{number}")
                    for number, name in enumerate((*_API_FUNCTIONS, "TransformFunction"))
                ),
                Line(shows=metrics.FUNCTION_DURATION.of("LoadFunction", "Sum", _HOUR), key="load"),
                Line(shows="(f0 + f1 + f2) / 1000", label="writes", key="writes"),
                Line(shows="f3 / 1000", label="reads", key="reads"),
                Line(shows="f4 / 1000", label="transforms", key="transforms"),
                # Memory of the load function in GiB; the others have one.
                Line(shows="load / 1000 * 1.73", label="loads", key="loads"),
            ),
        ),
        Graph(
            title="Transitions and API calls",
            runbook=_COST,
            lines=(
                Line(shows=metrics.EXECUTIONS_STARTED.of("LoadBatch", "Sum", _HOUR), key="batches"),
                Line(shows=metrics.EXECUTIONS_STARTED.of("Recover", "Sum", _HOUR), key="recoveries"),
                Line(shows=f"batches * {BATCH_TRANSITIONS}", label="transitions of loads", key="t0"),
                Line(shows=f"recoveries * {RECOVERY_TRANSITIONS}", label="transitions of recoveries", key="t1"),
                _show(metrics.API_CALLS.of("GetMetricData", "Sum", _HOUR), "GetMetricData of the account"),
            ),
        ),
    ),
    alarms=(),
)

SECTIONS = (_SERVICE_LEVELS, _WRITE_PATH, _LOADING, _READING, _DATABASE, _FUNCTIONS, _COSTS)
# Alarms that no section shows, with the reason.
NOT_SHOWN: dict[str, str] = {
    alarm.name: "a part of a composite alarm, which is shown" for alarm in service_levels.ALARMS if alarm.is_part
}
