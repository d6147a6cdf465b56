"""Which fault makes which alarm fire. A test compares the list with the template's alarms."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

from tests.drill import alarm_faults as faults
from tests.drill import alarm_traffic, instances, server_faults, stream_faults
from tests.drill.alarm_site import AlarmSite
from tests.drill.alarm_traffic import Act
from tools.monitoring.alarms import database

_WRITING = ("PostFunction", "PutFunction", "DeleteFunction", "GetFunction", "TransformFunction")
_OTHERS = (
    *("FallbackFunction", "OpenApiFunction", "QuarantineFunction", "PlanFunction", "ReportFunction", "LeaseFunction"),
    *("HealthCheckFunction", "RebuildFunction", "RejectedWritesFunction", "CanaryFunction", "StatusFunction"),
    "RestoreFunction",
)
# Of the alarms on the proof of a backup (see alarm_site).
_PROVING = ("ProofFunction", "ProofInstanceFunction")


@dataclass(frozen=True)
class Proof:
    """A fault, and the alarms that it makes fire. A minute of the alarms lasts `minute` seconds."""

    fault: str
    cause: Callable[[AlarmSite], AbstractContextManager[Act]]
    alarms: Sequence[str]
    minute: float = 1.0
    limit_seconds: float = 120.0
    # What goes on before and after the fault: an alarm on an instance that reports nothing would stay as it is.
    traffic: Callable[[AlarmSite], object] | None = None


# These alarms take missing points as unknown: an instance always reports. With short minutes two hours pass soon.
_REPORTED: Any = {"minute": 0.4, "traffic": instances.report}


def _list_burn_alarms(level: str) -> list[str]:
    windows = ("Hour", "FiveMinutes", "SixHours", "HalfHour", "Burn")
    return [f"{level}{window}Alarm" for window in windows]


def _list_replica_alarms(*kinds: str) -> list[str]:
    return [f"{replica}{kind}Alarm" for kind in kinds for replica in database.REPLICAS]


PROOFS = [
    Proof(
        "a handler that does not exist",
        faults.functions_without_code,
        [
            *(f"{function}ErrorsAlarm" for function in (*_WRITING, *_OTHERS, *_PROVING)),
            "RotationFailedAlarm",
        ],
    ),
    Proof(
        "a reserved concurrency of 0",
        faults.functions_without_concurrency,
        [
            *(f"{function}ThrottlesAlarm" for function in (*_WRITING, *_OTHERS, *_PROVING, "RotateFunction")),
            "LoadThrottlesAlarm",
        ],
    ),
    Proof("a batch that is no gzip file", faults.unreadable_batch, ["LoadsFailedAlarm"]),
    Proof(
        "an input that the workflow refuses",
        faults.refused_inputs,
        ["ReplayFailedAlarm", "RebuildFailedAlarm", "RestoreFailedAlarm", "ProveBackupFailedAlarm"],
    ),
    Proof(
        "an operator stops executions",
        faults.stopped_executions,
        [
            "LoadBatchAbortedAlarm",
            "ReplayAbortedAlarm",
            "RecoverAbortedAlarm",
            "RebuildAbortedAlarm",
            "RestoreAbortedAlarm",
            "ProveBackupAbortedAlarm",
        ],
    ),
    Proof("a rollback without the primary", faults.rollback_without_primary, ["MigrationUndoneAlarm"]),
    Proof("a record that is no write", stream_faults.record_that_is_no_write, ["RecordsFailedAlarm"]),
    Proof("a write that no table takes", faults.write_that_no_table_takes, ["RejectedWritesAlarm"]),
    # A function tries the cache again only after 5 seconds.
    Proof("the read cache is killed", server_faults.killed_cache, ["CacheUnavailableAlarm"], minute=8.0),
    Proof("an event in the dead-letter queue", faults.dead_letter, ["DeadLettersAlarm"]),
    Proof(
        "writes above the quotas of the stream",
        stream_faults.tiny_quotas,
        [
            "BytesQuotaAlarm",
            "RecordsQuotaAlarm",
            "PutRequestsQuotaAlarm",
        ],
    ),
    Proof("the primary is killed", server_faults.killed_primary, ["LoadErrorsAlarm"], minute=4.0),
    Proof(
        "the transform's handler does not exist", stream_faults.transform_without_code, ["TransformAlarm"], minute=4.0
    ),
    Proof(
        "Firehose refuses puts",
        stream_faults.refusing_stream,
        ["ServerErrorsAlarm", "ThrottledRecordsAlarm"],
        minute=4.0,
    ),
    Proof("Firehose does not answer", stream_faults.silent_stream, ["WriteLatencyAlarm"], minute=4.0),
    Proof(
        "the bucket of batches does not exist",
        partial(stream_faults.stream_without_bucket, part="BatchBucket"),
        ["FreshnessAlarm"],
        minute=2.0,
    ),
    Proof(
        "the bucket of the archive does not exist",
        partial(stream_faults.stream_without_bucket, part="ArchiveBucket"),
        ["ArchiveFreshnessAlarm", "ArchiveFailedAlarm"],
        minute=2.0,
        limit_seconds=240,
    ),
    Proof("the replicas hang", server_faults.frozen_replicas, ["ReadLatencyAlarm"], minute=4.0),
    # A function asks a replica that failed again after up to 30 seconds.
    Proof("a replica is killed", server_faults.killed_replica, ["ReplicaSkippedAlarm"], minute=8.0, limit_seconds=240),
    Proof(
        "the replicas stop applying changes",
        server_faults.stopped_replication,
        _list_replica_alarms("Lag"),
        **_REPORTED,
    ),
    Proof(
        "the data directory grows by 4 GiB",
        server_faults.full_disks,
        ["PrimaryStorageAlarm", *_list_replica_alarms("Storage")],
        **_REPORTED,
    ),
    Proof(
        "sessions keep 240 MiB of memory",
        server_faults.used_memory,
        ["PrimaryMemoryAlarm", *_list_replica_alarms("Memory")],
        **_REPORTED,
    ),
    Proof(
        "connections are left open",
        server_faults.leaked_connections,
        ["PrimaryConnectionsAlarm", *_list_replica_alarms("Connections")],
        **_REPORTED,
    ),
    Proof("clients of the cache run long scripts", server_faults.busy_cache, ["CacheProcessorAlarm"], **_REPORTED),
    Proof(
        "sessions compute without end",
        server_faults.busy_processors,
        ["PrimaryProcessorAlarm", "PrimaryCreditsAlarm", *_list_replica_alarms("Processor", "Credits")],
        **_REPORTED,
    ),
    Proof(
        "Firehose refuses the canary's writes",
        stream_faults.refusing_stream_for_canary,
        _list_burn_alarms("Writes"),
        minute=0.25,
        limit_seconds=240,
    ),
    Proof(
        "both servers are killed",
        server_faults.killed_databases,
        [*_list_burn_alarms("Reads"), *_list_burn_alarms("Waits")],
        # A failed run of the canary takes seconds, and an hour has to hold nine bad minutes.
        minute=0.5,
        limit_seconds=300,
    ),
    Proof(
        "nothing invokes the canary",
        faults.no_canary,
        ["CanaryMissingAlarm"],
        minute=0.25,
        traffic=alarm_traffic.run_canary,
    ),
    Proof(
        "no backup was proven for 9 days",
        faults.no_proven_backup,
        ["BackupProofAgeAlarm"],
        minute=0.05,
        limit_seconds=240,
        traffic=faults.report_proof_age,
    ),
    # Its alarm looks at a day.
    Proof(
        "a recovery with an input that it refuses",
        faults.refused_inputs,
        ["RecoverFailedAlarm"],
        minute=0.1,
        limit_seconds=240,
    ),
]
