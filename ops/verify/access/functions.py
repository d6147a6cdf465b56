"""What the role of each function may do, and some of what it may not do.

`sluice verify` asks IAM about a deployed stack. The tests compare the table with the template, and try each request
with the role's credentials.
"""

from ops.verify.access.request import (
    Request,
    change_instance,
    delete_object,
    describe_execution,
    describe_secret,
    invoke_function,
    list_bucket,
    list_roles,
    pass_role,
    promote_secret_version,
    publish_alert,
    put_object,
    put_record,
    put_record_batch,
    put_secret_version,
    read_object,
    read_secret,
    start_execution,
)
from ops.verify.access.role import Permissions

BATCH_KEY, ARCHIVE_KEY = "batches/tried.jsonl.gz", "archive/tried.gz"
REPLICA_OPERATIONS = (
    *("DescribeDBInstances", "ListTagsForResource", "AddTagsToResource", "ModifyDBInstance", "RebootDBInstance"),
    *("PromoteReadReplica", "CreateDBInstanceReadReplica"),
)
PRIMARY_OPERATIONS = (
    *REPLICA_OPERATIONS,
    *("DescribeDBInstanceAutomatedBackups", "DescribeDBSnapshots"),
    *("RestoreDBInstanceToPointInTime", "RestoreDBInstanceFromDBSnapshot"),
)
# What a proof does with the primary, and with its own instance.
PROVEN_OPERATIONS = ("DescribeDBInstances", "ListTagsForResource", "DescribeDBSnapshots")
PROOF_OPERATIONS = (
    *("DescribeDBInstances", "AddTagsToResource", "ModifyDBInstance", "DeleteDBInstance"),
    "RestoreDBInstanceFromDBSnapshot",
)
FORBIDDEN_TO_ALL: tuple[Request, ...] = (
    delete_object("Batch", BATCH_KEY),
    delete_object("Archive", ARCHIVE_KEY),
    put_object("Archive", ARCHIVE_KEY),
    put_object("Batch", BATCH_KEY),
    start_execution("Replay"),
    invoke_function("RejectedWrites"),
    publish_alert(),
    list_roles(),
)

WRITE_FUNCTION = Permissions(
    allowed=(put_record(), put_record_batch()),
    forbidden=(
        put_record("another-stream"),
        put_record_batch("another-stream"),
        read_secret("Loader"),
        read_secret("Reader"),
        read_secret("Cache"),
        read_object("Batch", BATCH_KEY),
        list_bucket("Batch"),
        read_object("Archive", ARCHIVE_KEY),
        list_bucket("Archive"),
    ),
)
NO_PERMISSIONS = Permissions(
    allowed=(),
    forbidden=(
        put_record(),
        read_secret("Reader"),
        read_secret("Loader"),
        read_secret("Cache"),
        read_object("Batch", BATCH_KEY),
        list_bucket("Batch"),
    ),
)

FUNCTIONS: dict[str, Permissions] = {
    "Post": WRITE_FUNCTION,
    "Put": WRITE_FUNCTION,
    "Delete": WRITE_FUNCTION,
    "Fallback": NO_PERMISSIONS,
    "OpenApi": NO_PERMISSIONS,
    "Transform": NO_PERMISSIONS,
    "Status": Permissions(
        allowed=(put_record(), read_object("Batch", "status/reads.json")),
        forbidden=(
            put_object("Batch", "status/reads.json"),
            read_object("Batch", BATCH_KEY),
            list_bucket("Batch"),
            read_secret("Reader"),
            read_secret("Loader"),
        ),
    ),
    "Get": Permissions(
        allowed=(read_secret("Reader"), read_secret("Cache")),
        forbidden=(
            read_secret("Loader"),
            read_secret("Admin"),
            put_record(),
            read_object("Batch", BATCH_KEY),
            list_bucket("Batch"),
        ),
    ),
    "Load": Permissions(
        allowed=(
            read_object("Batch", BATCH_KEY),
            read_object("Archive", ARCHIVE_KEY),
            list_bucket("Batch"),
            list_bucket("Archive"),
            read_object("Batch", "rebuilds/exclusions.json"),
            read_secret("Loader"),
            read_secret("Cache"),
        ),
        forbidden=(
            read_secret("Admin"),
            read_secret("Reader"),
            put_object("Batch", "rebuilds/exclusions.json"),
            read_object("Batch", "rebuilds/lease.json"),
            put_object("Batch", "quarantine/tried"),
            put_record(),
        ),
    ),
    "Quarantine": Permissions(
        allowed=(read_object("Batch", BATCH_KEY), put_object("Batch", "quarantine/tried")),
        forbidden=(
            delete_object("Batch", "quarantine/tried"),
            read_object("Archive", ARCHIVE_KEY),
            read_secret("Loader"),
        ),
    ),
    "Plan": Permissions(
        allowed=(
            list_bucket("Batch"),
            list_bucket("Archive"),
            put_object("Batch", "replays/tried"),
            read_secret("Reader"),
        ),
        forbidden=(
            read_object("Batch", BATCH_KEY),
            read_object("Archive", ARCHIVE_KEY),
            read_secret("Loader"),
            read_secret("Admin"),
        ),
    ),
    "Report": Permissions(
        allowed=(read_object("Batch", "replays/tried"), put_object("Batch", "replays/tried"), list_bucket("Batch")),
        forbidden=(
            read_object("Batch", BATCH_KEY),
            list_bucket("Archive"),
            read_secret("Reader"),
            read_secret("Loader"),
        ),
    ),
    "Lease": Permissions(
        allowed=(
            read_object("Batch", "recovery/lease.json"),
            put_object("Batch", "recovery/lease.json"),
            read_object("Batch", "recovery/alert.json"),
            put_object("Batch", "recovery/alert.json"),
            read_object("Batch", "rebuilds/lease.json"),
            put_object("Batch", "rebuilds/lease.json"),
            list_bucket("Batch"),
            list_bucket("Archive"),
            describe_execution("Recover"),
            describe_execution("Rebuild"),
            describe_execution("Restore"),
            read_object("Batch", "recovery/restore-lease.json"),
        ),
        forbidden=(
            put_object("Batch", "rebuilds/exclusions.json"),
            read_object("Batch", BATCH_KEY),
            describe_execution("Replay"),
            read_secret("Reader"),
        ),
    ),
    "HealthCheck": Permissions(
        allowed=(read_secret("Loader"), read_secret("Reader"), put_object("Batch", "status/reads.json")),
        forbidden=(
            read_secret("Admin"),
            list_bucket("Batch"),
            read_object("Batch", BATCH_KEY),
            put_record(),
        ),
    ),
    "Rebuild": Permissions(
        allowed=(
            read_object("Batch", "rebuilds/exclusions.json"),
            put_object("Batch", "rebuilds/exclusions.json"),
            put_object("Batch", "replays/tried"),
            list_bucket("Batch"),
            read_secret("Admin"),
        ),
        forbidden=(
            read_secret("Loader"),
            put_object("Batch", "rebuilds/lease.json"),
            put_secret_version("Admin"),
            read_object("Batch", BATCH_KEY),
            list_bucket("Archive"),
        ),
    ),
    "Restore": Permissions(
        condition="Restorable",
        allowed=(
            *(change_instance(action, "{PrimaryInstance}-none") for action in PRIMARY_OPERATIONS),
            *(change_instance(action, "{ReplicaInstance}-none") for action in REPLICA_OPERATIONS),
            change_instance("DeleteDBInstance", "{ReplicaInstance}-old-none"),
            put_object("Batch", "replays/tried"),
            read_secret("Admin"),
            # A restored instance gets the lost one's enhanced monitoring.
            pass_role("{MonitoringRole}", "monitoring.rds"),
        ),
        forbidden=(
            pass_role("{MonitoringRole}", "lambda"),
            pass_role("another", "monitoring.rds"),
            change_instance("ModifyDBInstance"),
            change_instance("DeleteDBInstance"),
            change_instance("DeleteDBInstance", "{PrimaryInstance}-none"),
            change_instance("DeleteDBInstance", "{ReplicaInstance}-none"),
            read_secret("Loader"),
            read_secret("Reader"),
            put_secret_version("Admin"),
            read_object("Batch", BATCH_KEY),
            list_bucket("Batch"),
        ),
    ),
    "Proof": Permissions(
        condition="BackupsProven",
        allowed=(
            read_object("Batch", BATCH_KEY),
            read_object("Batch", "proofs/runs/tried/tail.json"),
            put_object("Batch", "proofs/runs/tried/tail.json"),
            list_bucket("Batch"),
            read_secret("Admin"),
            read_secret("Reader"),
        ),
        forbidden=(
            read_secret("Loader"),
            put_secret_version("Admin"),
            put_object("Batch", "proofs/record.json"),
            read_object("Archive", ARCHIVE_KEY),
            list_bucket("Archive"),
            put_record(),
        ),
    ),
    "ProofInstance": Permissions(
        condition="BackupsProven",
        allowed=(
            *(change_instance(action, "{PrimaryInstance}") for action in PROVEN_OPERATIONS),
            *(change_instance(action, "{PrimaryInstance}-proof-none") for action in PROOF_OPERATIONS),
            read_object("Batch", "proofs/tried"),
            put_object("Batch", "proofs/tried"),
            list_bucket("Batch"),
            read_secret("Admin"),
            describe_execution("ProveBackup"),
        ),
        forbidden=(
            change_instance("ModifyDBInstance", "{PrimaryInstance}"),
            change_instance("DeleteDBInstance", "{PrimaryInstance}"),
            change_instance("ModifyDBInstance", "{ReplicaInstance}"),
            change_instance("DeleteDBInstance", "{PrimaryInstance}-none"),
            change_instance("RestoreDBInstanceFromDBSnapshot", "{PrimaryInstance}-none"),
            describe_execution("Recover"),
            read_secret("Loader"),
            read_secret("Reader"),
            put_secret_version("Admin"),
            read_object("Batch", BATCH_KEY),
            list_bucket("Archive"),
        ),
    ),
    "RejectedWrites": Permissions(
        allowed=(
            read_object("Batch", "batches/2026/01/01/00/retry-tried"),
            put_object("Batch", "batches/2026/01/01/00/retry-tried"),
            put_object("Batch", "retries/tried"),
            delete_object("Batch", "retries/tried"),
            list_bucket("Batch"),
            read_secret("Loader"),
        ),
        forbidden=(
            read_object("Batch", BATCH_KEY),
            delete_object("Batch", "batches/2026/01/01/00/retry-tried"),
            read_secret("Admin"),
            read_secret("Reader"),
            list_bucket("Archive"),
        ),
    ),
    "Migrate": Permissions(
        allowed=(read_secret("Admin"), read_secret("Loader"), read_secret("Reader")),
        forbidden=(
            put_secret_version("Admin"),
            put_secret_version("Loader"),
            list_bucket("Batch"),
            put_record(),
        ),
    ),
    "Canary": Permissions(
        condition="CanaryDeployed",
        allowed=(read_secret("Canary"),),
        forbidden=(
            read_secret("Reader"),
            read_secret("Loader"),
            read_secret("Admin"),
            put_record(),
            list_bucket("Batch"),
            read_object("Batch", BATCH_KEY),
        ),
    ),
    "Rotate": Permissions(
        allowed=(
            read_secret("Admin"),
            read_secret("Loader"),
            read_secret("Reader"),
            describe_secret("Loader"),
            describe_secret("Reader"),
            put_secret_version("Loader"),
            put_secret_version("Reader"),
            promote_secret_version("Loader"),
            promote_secret_version("Reader"),
        ),
        # Where the stack owns the database, it also rotates the admin's password.
        forbidden=(
            read_secret("Cache"),
            put_secret_version("ExistingAdmin"),
            promote_secret_version("ExistingAdmin"),
            list_bucket("Batch"),
            read_object("Batch", BATCH_KEY),
            put_record(),
        ),
    ),
}
