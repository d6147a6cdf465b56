"""What the stack runs on and how much of it is in use: database, functions, quotas; and what the bill grows with."""

from ops.cost.estimate import BATCH_TRANSITIONS, FIREHOSE_MINIMUM_BYTES, RECOVERY_TRANSITIONS
from ops.cost.traffic import RequestFigures
from tools.monitoring import metrics, runbooks
from tools.monitoring.alarms import database, functions, write_path
from tools.monitoring.model import HOUR_SECONDS
from tools.monitoring.widgets import Graph, Line, Section, show_each, use_parameter

# The fewest bytes that AWS bills for the records.
_LEAST = f"records * {FIREHOSE_MINIMUM_BYTES}"

# The lines of the instances that a stack with a database can lack.
_FURTHER = {name: condition for name, condition in database.CONDITIONS.items() if name != "Primary"}

DATABASE = Section(
    title="Database",
    text="Primary and replicas. The replicas serve reads, the primary loads only, unless there is no replica.",
    graphs=(
        Graph(
            title="CPU",
            runbook=runbooks.DATABASE_TOO_SMALL,
            unit="%",
            condition="OwnDatabase",
            lines=show_each(metrics.PROCESSOR, database.INSTANCES, "Average", 300, conditions=_FURTHER),
        ),
        Graph(
            title="Connections",
            runbook=runbooks.DATABASE_TOO_SMALL,
            condition="OwnDatabase",
            limits=(
                ("LoadConcurrency", use_parameter("LoadConcurrency")),
                ("ReadConcurrency", use_parameter("ReadConcurrency")),
            ),
            lines=show_each(metrics.CONNECTIONS, database.INSTANCES, "Maximum", 300, conditions=_FURTHER),
        ),
        Graph(
            title="Free storage and memory",
            runbook=runbooks.STORAGE_FULL,
            unit="bytes",
            condition="OwnDatabase",
            lines=tuple(
                Line(metric.of(instance, "Minimum", 300), f"{instance} {label}", condition=_FURTHER.get(instance, ""))
                for metric, label in ((metrics.FREE_STORAGE, "storage"), (metrics.FREE_MEMORY, "memory"))
                for instance in database.INSTANCES
            ),
        ),
        Graph(
            title="CPU credits",
            runbook=runbooks.DATABASE_TOO_SMALL,
            condition="BurstablePrimary",
            lines=show_each(metrics.CREDITS, database.INSTANCES, "Minimum", 300, conditions=_FURTHER),
        ),
    ),
    alarms=database.ALARMS,
)

FUNCTIONS = Section(
    title="Functions and quotas",
    text=(
        "Errors and throttles of the functions that clients, Firehose or batches wait for (the alarms watch the others "
        "too); how much of the quotas is in use."
    ),
    graphs=(
        Graph(
            title="Errors",
            runbook=runbooks.FUNCTION_FAILS,
            lines=show_each(metrics.FUNCTION_ERRORS, (*functions.AWAITED, "LoadFunction"), "Sum"),
        ),
        Graph(
            title="Throttles",
            runbook=runbooks.FUNCTION_THROTTLED,
            lines=show_each(metrics.FUNCTION_THROTTLES, (*functions.AWAITED, "LoadFunction"), "Sum"),
        ),
        Graph(
            title="Concurrency",
            runbook=runbooks.FUNCTION_THROTTLED,
            limits=(
                ("WriteConcurrency", use_parameter("WriteConcurrency")),
                ("ReadConcurrency", use_parameter("ReadConcurrency")),
                ("LoadConcurrency", use_parameter("LoadConcurrency")),
            ),
            lines=show_each(metrics.FUNCTION_CONCURRENCY, (*functions.API_FUNCTIONS, "LoadFunction"), "Maximum"),
        ),
        Graph(
            title="Quotas of the stream",
            runbook=runbooks.STREAM_QUOTA_REACHED,
            unit="% in use",
            limits=(("alarm", write_path.QUOTA_PERCENT),),
            lines=tuple(
                line
                for number, (quota, (incoming, limit)) in enumerate(metrics.STREAM_QUOTAS.items())
                for line in (
                    Line(incoming.of("WriteStream", "Sum", 300), key=f"incoming{number}"),
                    Line(limit.of("WriteStream", "Minimum", 300), key=f"limit{number}"),
                    Line(f"100 * incoming{number} / 300 / limit{number}", quota, key=f"used{number}"),
                )
            ),
        ),
    ),
    alarms=functions.ALARMS,
)

COSTS = Section(
    title="Cost drivers",
    text="What the bill grows with, by the hour. `sluice cost` says what each costs.",
    graphs=(
        Graph(
            title="Requests an hour",
            runbook=runbooks.BILL_GROWS,
            lines=(
                Line(metrics.EDGE_REQUESTS.of("Distribution", "Sum", HOUR_SECONDS), "at the edge"),
                Line(metrics.API_REQUESTS.of("Api", "Sum", HOUR_SECONDS), "at the API"),
            ),
        ),
        Graph(
            title="Stream, GB an hour",
            runbook=runbooks.BILL_GROWS,
            unit="GB; a record counts as 5 KB at least",
            lines=(
                Line(metrics.STREAM_QUOTAS["Bytes"][0].of("WriteStream", "Sum", HOUR_SECONDS), key="bytes"),
                Line(metrics.STREAM_QUOTAS["Records"][0].of("WriteStream", "Sum", HOUR_SECONDS), key="records"),
                Line("bytes / 1000000000", "received", key="received"),
                Line(f"IF({_LEAST} > bytes, {_LEAST}, bytes) / 1000000000", "billed at least", key="billed"),
            ),
        ),
        Graph(
            title="Functions, GB-seconds an hour",
            runbook=runbooks.BILL_GROWS,
            lines=(
                *(
                    Line(metrics.FUNCTION_DURATION.of(name, "Sum", HOUR_SECONDS), key=f"f{number}")
                    for number, name in enumerate(functions.AWAITED)
                ),
                Line(metrics.FUNCTION_DURATION.of("LoadFunction", "Sum", HOUR_SECONDS), key="load"),
                Line("(f0 + f1 + f2) / 1000", "writes", key="writes"),
                Line("f3 / 1000", "reads", key="reads"),
                Line("f4 / 1000", "transforms", key="transforms"),
                # All but the load function have 1 GB.
                Line(f"load / 1000 * {RequestFigures.load_gigabytes}", "loads", key="loads"),
            ),
        ),
        Graph(
            title="Transitions and API calls",
            runbook=runbooks.BILL_GROWS,
            lines=(
                Line(metrics.EXECUTIONS_STARTED.of("LoadBatch", "Sum", HOUR_SECONDS), key="batches"),
                Line(metrics.EXECUTIONS_STARTED.of("Recover", "Sum", HOUR_SECONDS), key="recoveries"),
                Line(f"batches * {BATCH_TRANSITIONS}", "transitions of loads", key="t0"),
                Line(f"recoveries * {RECOVERY_TRANSITIONS}", "transitions of recoveries", key="t1"),
                Line(metrics.API_CALLS.of("GetMetricData", "Sum", HOUR_SECONDS), "GetMetricData of the account"),
            ),
        ),
    ),
    alarms=(),
)
