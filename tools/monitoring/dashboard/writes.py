"""The way of a write from left to right, and what became of the batches that it came in."""

from tools.monitoring import metrics, runbooks
from tools.monitoring.alarms import workflows, write_path
from tools.monitoring.model import HOUR_SECONDS
from tools.monitoring.widgets import Graph, Line, Section

# The workflows that load what was left.
_WORKFLOWS = ("Recover", "Replay", "Rebuild")

WRITE_PATH = Section(
    title="Write path",
    text="From left to right: what arrives, what is accepted, what waits in the stream, what is loaded. Each minute.",
    graphs=(
        Graph(
            title="1 Requests",
            width=4,
            runbook=runbooks.REQUESTS_FAIL,
            lines=(
                Line(metrics.EDGE_REQUESTS.of("Distribution", "Sum"), "at the edge"),
                Line(metrics.API_REQUESTS.of("Api", "Sum"), "at the API"),
                Line(metrics.CLIENT_ERRORS.of("Api", "Sum"), "4xx"),
                Line(metrics.SERVER_ERRORS.of("Api", "Sum"), "5xx"),
            ),
        ),
        Graph(
            title="2 Accepted",
            width=4,
            runbook=runbooks.REQUESTS_FAIL,
            lines=(
                Line(metrics.WRITES_ACCEPTED.of_stack("Sum"), "writes accepted"),
                Line(metrics.WRITES_REFUSED.of_stack("Sum"), "writes refused"),
            ),
        ),
        Graph(
            title="3 In the stream",
            width=4,
            runbook=runbooks.STREAM_QUOTA_REACHED,
            lines=(
                Line(metrics.STREAM_QUOTAS["Records"][0].of("WriteStream", "Sum"), "records received"),
                Line(metrics.RECORDS_THROTTLED.of("WriteStream", "Sum"), "records refused"),
                Line(metrics.RECORDS_FAILED.of_stack("Sum"), "records that are no writes"),
            ),
        ),
        Graph(
            title="4 Waiting in the stream",
            width=4,
            runbook=runbooks.FIREHOSE_ERRORS,
            unit="seconds",
            lines=(
                Line(metrics.DELIVERY_FRESHNESS.of("WriteStream", "Maximum"), "for a batch"),
                Line(metrics.ARCHIVE_FRESHNESS.of("WriteStream", "Maximum"), "for the archive"),
            ),
        ),
        Graph(
            title="5 Batches",
            width=4,
            runbook=runbooks.BATCHES_PARKED,
            lines=(
                Line(metrics.EXECUTIONS_STARTED.of("LoadBatch", "Sum"), "delivered"),
                Line(metrics.BATCHES_LOADED.of_stack("Sum"), "loaded"),
                Line(metrics.EXECUTIONS_FAILED.of("LoadBatch", "Sum"), "parked or quarantined"),
            ),
        ),
        Graph(
            title="6 Applied",
            width=4,
            runbook=runbooks.WRITES_REJECTED,
            lines=(
                Line(metrics.WRITES_APPLIED.of_stack("Sum"), "writes applied"),
                Line(metrics.WRITES_STALE.of_stack("Sum"), "stale"),
                Line(metrics.WRITES_REJECTED.of_stack("Sum"), "rejected"),
            ),
        ),
    ),
    alarms=write_path.ALARMS,
)

LOADING = Section(
    title="Loading and recovery",
    text=(
        "How long a write takes to be readable, and what was not loaded. The graph *5 Batches* above shows what waits: "
        "batches that were delivered and are not loaded yet. Each recovery counts the missing ones."
    ),
    graphs=(
        Graph(
            title="From accepted to loaded",
            width=5,
            runbook=runbooks.DATABASE_UNAVAILABLE,
            unit="milliseconds",
            lines=(
                Line(metrics.LOAD_LAG.of_stack("p50"), "p50 of the batches"),
                Line(metrics.LOAD_LAG.of_stack("p99"), "p99"),
            ),
        ),
        Graph(
            title="Missing batches",
            width=5,
            runbook=runbooks.BATCHES_PARKED,
            lines=(
                Line(metrics.BATCHES_MISSING.of_stack("Maximum"), "missing: parked, or never loaded"),
                Line(metrics.BATCHES_REPLAYED.of_stack("Sum"), "replayed"),
                Line(metrics.BATCHES_ALREADY_LOADED.of_stack("Sum"), "loaded before"),
            ),
        ),
        Graph(
            title="Set aside",
            width=5,
            runbook=runbooks.BATCH_QUARANTINED,
            lines=(
                Line(metrics.BATCHES_QUARANTINED.of_stack("Sum"), "batches quarantined"),
                Line(metrics.QUEUED_EVENTS.of("EventDeadLetters", "Maximum"), "dead letters"),
                Line(metrics.REJECTED_WRITES_RETRIED.of_stack("Sum"), "rejected writes retried"),
                Line(metrics.MIGRATIONS_UNDONE.of_stack("Sum"), "migrations undone"),
            ),
        ),
        Graph(
            title="Workflows",
            width=5,
            runbook=runbooks.WORKFLOW_FAILED,
            lines=(
                *(Line(metrics.EXECUTIONS_STARTED.of(name, "Sum", 300), f"{name} started") for name in _WORKFLOWS),
                *(Line(metrics.EXECUTIONS_FAILED.of(name, "Sum", 300), f"{name} failed") for name in _WORKFLOWS),
            ),
        ),
        Graph(
            title="Last proof of a backup",
            width=4,
            runbook=runbooks.BACKUP_NOT_PROVEN,
            unit="seconds",
            lines=(Line(metrics.BACKUP_PROOF_AGE.of_stack("Maximum", HOUR_SECONDS), "ago"),),
            limits=(("alarm", 8 * 24 * HOUR_SECONDS),),
            condition="BackupsProven",
        ),
    ),
    alarms=workflows.ALARMS,
)
