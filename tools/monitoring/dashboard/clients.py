"""What clients meet: the service levels that they are promised, and how their reads are answered."""

from tools.monitoring import metrics, runbooks
from tools.monitoring.alarms import read_path, service_levels
from tools.monitoring.alarms.database import CONDITIONS, REPLICAS
from tools.monitoring.model import HOUR_SECONDS, Series
from tools.monitoring.widgets import Graph, Line, Section, show_each


def _show_hit_rate(hits: Series, misses: Series) -> tuple[Line, ...]:
    return (
        Line(hits, key="hits"),
        Line(misses, key="misses"),
        Line("100 * hits / (hits + misses)", "hit rate", key="rate"),
    )


SERVICE_LEVELS = Section(
    title="Service levels",
    text="What clients are promised, as the canary measures it through the public address.",
    graphs=(
        Graph(
            title="Writes of the canary",
            width=8,
            runbook=runbooks.WRITES_NOT_ACCEPTED,
            lines=(
                Line(metrics.CANARY_WRITES.of_stack("Sum", 300), "tried"),
                Line(metrics.CANARY_WRITES_FAILED.of_stack("Sum", 300), "not accepted"),
            ),
            condition="CanaryScheduled",
        ),
        Graph(
            title="Reads of the canary",
            width=8,
            runbook=runbooks.READS_NOT_ANSWERED,
            lines=(
                Line(metrics.CANARY_READS.of_stack("Sum", 300), "tried"),
                Line(metrics.CANARY_READS_FAILED.of_stack("Sum", 300), "not answered"),
            ),
            condition="CanaryScheduled",
        ),
        Graph(
            title="From accepted to readable",
            width=8,
            runbook=runbooks.READABLE_TOO_LATE,
            unit="seconds",
            lines=(
                Line(metrics.CANARY_READABLE_SECONDS.of_stack("p50", HOUR_SECONDS), "p50 of an hour"),
                Line(metrics.CANARY_READABLE_SECONDS.of_stack("p99", HOUR_SECONDS), "p99"),
                Line(metrics.CANARY_WAITS.of_stack("Sum", HOUR_SECONDS), "writes awaited"),
                Line(metrics.CANARY_WAITS_FAILED.of_stack("Sum", HOUR_SECONDS), "readable too late"),
            ),
            condition="CanaryScheduled",
        ),
    ),
    alarms=(*service_levels.COMPOSITE_ALARMS, *service_levels.CANARY_ALARMS),
)

READING = Section(
    title="Reading and caches",
    text="CloudFront answers or blocks the requests that reach the edge and not the API.",
    graphs=(
        Graph(
            title="Reads that reach the function",
            width=5,
            runbook=runbooks.REQUESTS_SLOW,
            unit="milliseconds",
            lines=(
                Line(metrics.FUNCTION_DURATION.of("GetFunction", "p50"), "p50"),
                Line(metrics.FUNCTION_DURATION.of("GetFunction", "p99"), "p99"),
            ),
        ),
        Graph(
            title="API Gateway's cache",
            width=5,
            runbook=runbooks.REQUESTS_SLOW,
            unit="% hits",
            lines=_show_hit_rate(
                metrics.API_CACHE_HITS.of("Api", "Sum", 300), metrics.API_CACHE_MISSES.of("Api", "Sum", 300)
            ),
        ),
        Graph(
            title="Read cache",
            width=5,
            runbook=runbooks.READ_CACHE_UNAVAILABLE,
            unit="%",
            condition="OwnCache",
            lines=(
                *_show_hit_rate(
                    metrics.READ_CACHE_HITS.of("Cache", "Sum", 300), metrics.READ_CACHE_MISSES.of("Cache", "Sum", 300)
                ),
                Line(metrics.CACHE_PROCESSOR.of("Cache", "Average", 300), "CPU"),
                Line(metrics.READ_CACHE_MEMORY.of("Cache", "Average", 300), "memory"),
            ),
        ),
        Graph(
            title="Read cache unavailable",
            width=4,
            runbook=runbooks.READ_CACHE_UNAVAILABLE,
            condition="Cached",
            lines=(Line(metrics.CACHE_UNAVAILABLE.of_stack("Sum"), "invocations without it"),),
        ),
        Graph(
            title="Lag of the replicas",
            width=5,
            minimum=-1,
            runbook=runbooks.REPLICA_LAGS,
            unit="seconds; -1: broken",
            condition="HasReplica",
            lines=show_each(
                metrics.REPLICA_LAG, REPLICAS, "Maximum", conditions={name: CONDITIONS[name] for name in REPLICAS[1:]}
            ),
        ),
    ),
    alarms=read_path.ALARMS,
)
