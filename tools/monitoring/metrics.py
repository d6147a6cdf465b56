"""Every metric that an alarm watches or a widget shows, and every metric that the functions count."""

from tools.monitoring.model import Metric


def _describe_own(name: str, description: str, unit: str = "Count") -> Metric:
    return Metric("Sluice", name, unit, description)


WRITES_ACCEPTED = _describe_own("WritesAccepted", "writes that the API accepted (`202`)")
WRITES_REFUSED = _describe_own("WritesRefused", "writes that the API refused, each line of a request counted")
BATCHES_LOADED = _describe_own("BatchesLoaded", "batches that a load applied and entered in the ledger")
BATCHES_ALREADY_LOADED = _describe_own(
    "BatchesAlreadyLoaded", "batches that the ledger had already, so that their load changed nothing"
)
WRITES_APPLIED = _describe_own("WritesApplied", "writes that a load applied")
WRITES_STALE = _describe_own(
    "WritesStale", "writes that a load skipped, because their item has the same or a greater version"
)
WRITES_REJECTED = _describe_own("WritesRejected", "writes that the database can never accept, stored with their reason")
LOAD_LAG = _describe_own("LoadLag", "time from the oldest write of a batch to the end of its load", "Milliseconds")
BATCHES_QUARANTINED = _describe_own("BatchesQuarantined", "batches that cannot be read, copied to `quarantine/`")
BATCHES_REPLAYED = _describe_own("BatchesReplayed", "batches that a replay loaded")
REJECTED_WRITES_RETRIED = _describe_own("RejectedWritesRetried", "rejected writes that were put into a new batch")
MIGRATIONS_UNDONE = _describe_own("MigrationsUndone", "rollbacks of a deploy that succeeded without their migration")
RECORDS_FAILED = _describe_own("RecordsFailed", "records of the stream, or lines of them, that are not writes")
CANARY_WRITES = _describe_own("CanaryWrites", "writes that the canary tried, one each minute")
CANARY_WRITES_FAILED = _describe_own("CanaryWritesFailed", "writes of the canary that the API did not accept")
CANARY_READS = _describe_own("CanaryReads", "reads that the canary tried")
CANARY_READS_FAILED = _describe_own("CanaryReadsFailed", "reads of the canary that the API did not answer")
CANARY_WAITS = _describe_own(
    "CanaryWaits",
    "accepted writes of the canary that it waited for, until a read showed them or the objective had passed",
)
CANARY_WAITS_FAILED = _describe_own(
    "CanaryWaitsFailed", "accepted writes of the canary that no read showed within the objective"
)
CANARY_READABLE_SECONDS = _describe_own(
    "CanaryReadableSeconds",
    "time from the `202` of the canary's write to the first read that showed it; without one, the age of the item",
    "Seconds",
)
BATCHES_MISSING = _describe_own(
    "BatchesMissing",
    "batches that the ledger lacked when a recovery looked, and when it had loaded what it could; "
    "a scheduled recovery looks every `RecoveryMinutes`, but none can while the primary is unavailable",
)
BACKUP_PROOF_AGE = _describe_own(
    "BackupProofAge", "time since a backup was proven, or since proofs were switched on if none was", "Seconds"
)
CACHE_UNAVAILABLE = _describe_own("CacheUnavailable", "invocations that could not use the read cache")

FUNCTION_ERRORS = Metric("AWS/Lambda", "Errors", "Count", "invocations that ended with an error")
FUNCTION_THROTTLES = Metric("AWS/Lambda", "Throttles", "Count", "invocations refused for lack of concurrency")
FUNCTION_CONCURRENCY = Metric("AWS/Lambda", "ConcurrentExecutions", "Count", "invocations that run at the same time")
FUNCTION_DURATION = Metric("AWS/Lambda", "Duration", "Milliseconds", "time that an invocation ran")

EXECUTIONS_STARTED = Metric("AWS/States", "ExecutionsStarted", "Count", "executions of a workflow that began")
EXECUTIONS_FAILED = Metric("AWS/States", "ExecutionsFailed", "Count", "executions of a workflow that failed")
EXECUTIONS_ABORTED = Metric("AWS/States", "ExecutionsAborted", "Count", "executions that somebody stopped")

QUEUED_EVENTS = Metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Count", "events in the dead-letter queue")

TRANSFORM_SUCCESS = Metric(
    "AWS/Firehose", "ExecuteProcessing.Success", "Ratio", "share of the transform's invocations that succeeded"
)
DELIVERY_FRESHNESS = Metric(
    "AWS/Firehose", "DeliveryToS3.DataFreshness", "Seconds", "age of the oldest write that is not in a batch yet"
)
ARCHIVE_FRESHNESS = Metric(
    "AWS/Firehose", "BackupToS3.DataFreshness", "Seconds", "age of the oldest record that is not in the archive yet"
)
ARCHIVE_SUCCESS = Metric(
    "AWS/Firehose", "BackupToS3.Success", "Ratio", "share of the puts to the archive that succeeded"
)
RECORDS_THROTTLED = Metric("AWS/Firehose", "ThrottledRecords", "Count", "records refused above a quota of the stream")
# What the stream's quotas limit: the metric of what arrived, and that of the limit per second.
STREAM_QUOTAS = {
    name: (
        Metric("AWS/Firehose", f"Incoming{name}", unit, f"{description} that the stream received"),
        Metric("AWS/Firehose", f"{name}PerSecondLimit", unit, f"{description} that the stream takes in a second"),
    )
    for name, unit, description in (
        ("Bytes", "Bytes", "bytes"),
        ("Records", "Count", "records"),
        ("PutRequests", "Count", "put requests"),
    )
}

EDGE_REQUESTS = Metric("AWS/CloudFront", "Requests", "Count", "requests that reached CloudFront")
API_REQUESTS = Metric("AWS/ApiGateway", "Count", "Count", "requests that reached the API")
CLIENT_ERRORS = Metric("AWS/ApiGateway", "4XXError", "Count", "requests that the API answered with 4xx")
API_CACHE_HITS = Metric("AWS/ApiGateway", "CacheHitCount", "Count", "requests that API Gateway's cache answered")
API_CACHE_MISSES = Metric(
    "AWS/ApiGateway", "CacheMissCount", "Count", "requests that API Gateway's cache passed on, while it is on"
)
SERVER_ERRORS = Metric("AWS/ApiGateway", "5XXError", "Count", "requests that the API answered with 5xx")

CACHE_PROCESSOR = Metric("AWS/ElastiCache", "EngineCPUUtilization", "Percent", "CPU that the read cache uses")

READ_CACHE_HITS = Metric("AWS/ElastiCache", "CacheHits", "Count", "keys that the read cache had")
READ_CACHE_MISSES = Metric("AWS/ElastiCache", "CacheMisses", "Count", "keys that the read cache lacked")
READ_CACHE_MEMORY = Metric(
    "AWS/ElastiCache", "DatabaseMemoryUsagePercentage", "Percent", "memory of the read cache that is in use"
)

REPLICA_LAG = Metric(
    "AWS/RDS", "ReplicaLag", "Seconds", "time that the replica is behind the primary; -1 while replication is broken"
)
FREE_STORAGE = Metric("AWS/RDS", "FreeStorageSpace", "Bytes", "storage of an instance that is free")
PROCESSOR = Metric("AWS/RDS", "CPUUtilization", "Percent", "CPU that an instance uses")
CREDITS = Metric("AWS/RDS", "CPUCreditBalance", "Count", "CPU credits that a burstable instance has")
FREE_MEMORY = Metric("AWS/RDS", "FreeableMemory", "Bytes", "memory of an instance that is free")
CONNECTIONS = Metric("AWS/RDS", "DatabaseConnections", "Count", "connections to an instance")

API_CALLS = Metric(
    "AWS/Usage", "CallCount", "None", "calls of an operation of CloudWatch, of the whole account in this Region"
)

METRICS: tuple[Metric, ...] = (
    *(value for value in list(globals().values()) if isinstance(value, Metric)),
    *(metric for pair in STREAM_QUOTAS.values() for metric in pair),
)
OWN_METRICS = tuple(metric for metric in METRICS if metric.namespace == "Sluice")
