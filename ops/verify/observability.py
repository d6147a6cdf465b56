"""A request can be followed: its logs, its metrics and its trace are found by its id."""

import datetime
import time
from typing import Any

from ops.metrics import NAMESPACE, build_own_metric, read_sums
from ops.output import format_count
from ops.service import MAX_ATTEMPTS
from ops.verify.check import UNDO_DRIFT, Check, CheckFailed
from ops.verify.round_trip import wait_until_applied
from ops.verify.subject import Subject

# CloudWatch and X-Ray show what they were sent after a while.
INGESTION_SECONDS = 240.0
# Log groups of the stack, by logical id, and the name of what writes to each.
LOG_GROUPS = {
    "ApiLog": "The access log of the API",
    "PostFunctionLog": "The log of PostFunction",
    "LoadFunctionLog": "The log of LoadFunction",
}
# Metrics of the write: the one of the function that accepts it, and the one of the function that loads it.
METRICS = ("WritesAccepted", "WritesApplied")
STATUS_PATH = "/v1/status"
# A new stack has no heartbeat in its first minute.
HEARTBEAT_SECONDS = 120.0


def run_logs(subject: Subject) -> str:
    """The access log, the function and the load name the request id of the own write."""
    write = subject.own_write()
    groups, client = subject.stack.list_resources("AWS::Logs::LogGroup"), subject.stack.client("logs")
    missing = set(LOG_GROUPS)

    def is_found() -> bool:
        for logical_id in sorted(missing):
            pages = client.get_paginator("filter_log_events").paginate(
                logGroupName=groups[logical_id],
                startTime=round((write.seconds - 60) * 1000),
                filterPattern=f'"{write.request_id}"',
            )
            if any(page["events"] for page in pages):
                missing.discard(logical_id)
        return not missing

    subject.wait_until(
        is_found,
        subject.load_seconds + INGESTION_SECONDS,
        lambda: CheckFailed(
            f"{LOG_GROUPS[min(missing)]} has no line of the request {write.request_id}.",
            "See the log group, and the account's log role of API Gateway (ApiLogRole).",
        ),
    )
    return f"request {write.request_id} in {format_count(len(LOG_GROUPS), 'log group')}"


def run_metrics(subject: Subject) -> str:
    """The metrics of the minute of the own write have values, under the name of this stack."""
    write = subject.own_write()
    wait_until_applied(subject, write)
    metrics, missing = {name: build_own_metric(subject.stack, name) for name in METRICS}, set(METRICS)
    start = datetime.datetime.fromtimestamp(write.seconds // 60 * 60, datetime.UTC)

    def is_found() -> bool:
        end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=1)
        sums = read_sums(subject.stack, metrics, start, end, 60)
        missing.difference_update(name for name, series in sums.items() if sum(series.values()) >= 1)
        return not missing

    subject.wait_until(
        is_found,
        INGESTION_SECONDS,
        lambda: CheckFailed(
            f"The namespace {NAMESPACE} has no value of {min(missing)} for the stack since {start:%H:%M} UTC.",
            "Lambda drops lines below LogLevel: metrics need INFO, see docs/reference/metrics-and-alarms.md.",
        ),
    )
    return f"{' and '.join(METRICS)} since {start:%H:%M} UTC"


def run_trace(subject: Subject) -> str:
    """X-Ray has the trace of the own write, by the annotation `request_id`."""
    write, client = subject.own_write(), subject.stack.client("xray")

    def find_trace() -> list[Any]:
        pages = client.get_paginator("get_trace_summaries").paginate(
            StartTime=write.seconds - 120,
            EndTime=time.time() + 60,
            FilterExpression=f'annotation.request_id = "{write.request_id}"',
        )
        return [summary for page in pages for summary in page["TraceSummaries"]]

    [summary, *_] = subject.wait_until(
        find_trace,
        INGESTION_SECONDS,
        lambda: CheckFailed(
            f"X-Ray has no trace of the request {write.request_id} (sent as {write.trace}).",
            f"Tracing must be active for the stage and PostFunction. {UNDO_DRIFT}",
        ),
    )
    segments = client.batch_get_traces(TraceIds=[summary["Id"]])["Traces"][0]["Segments"]
    return f"trace {summary['Id']} with {format_count(len(segments), 'segment')}"


def run_status(subject: Subject) -> str:
    """The public status says that writes are accepted and reads available, and how far reads are behind."""
    subject.own_write()  # the status is about a service that works

    def read() -> Any:
        answer = subject.public().request("GET", STATUS_PATH, attempts=MAX_ATTEMPTS)
        if answer.status != 200 or not isinstance(answer.document, dict):
            raise CheckFailed(f"{STATUS_PATH} answers {answer.describe()}.", "See the log of StatusFunction.")
        return answer.document

    def is_well() -> Any:
        status = read()
        is_available = status["writes"]["state"] == status["reads"]["state"] == "available"
        return status if is_available and "seconds_behind" in status["reads"] else None

    def explain() -> CheckFailed:
        status = read()
        return CheckFailed(
            f"{STATUS_PATH} says: writes {status['writes']['state']}, reads {status['reads']['state']}.",
            "See the logs of StatusFunction and of HealthCheckFunction, which reports each minute.",
        )

    status = subject.wait_until(is_well, HEARTBEAT_SECONDS, explain)
    return f"writes and reads available, reads at most {status['reads']['seconds_behind']} s behind"


CHECKS = [
    Check("status", "the public status says that writes are accepted and how far reads are behind", run_status),
    Check("logs", "logs of API, function and load are found by the request id", run_logs),
    Check("metrics", "metrics have the stack's name and arrive", run_metrics),
    Check("trace", "the trace is found by the request id", run_trace),
]
