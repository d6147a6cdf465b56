"""RDS instances, their backups and snapshots: a typed client of the operations that a restore needs.

Every change of an instance is asynchronous: RDS accepts it and goes on with it, as the instance's status shows. To wait
for that is up to the caller. Times are in UTC, sizes in GiB.
"""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from sluice.aws.botocore_client import BotocoreClient
from sluice.aws.client import AwsClient
from sluice.aws.lambda_environment import Service
from sluice.aws.secrets import Credentials
from sluice.errors import AwsError, InstanceBusy, InstanceExists, InstanceNotFound, NotRestorable, SnapshotNotFound

RDS_SERVICE = Service("rds", "RDS", "", connect_seconds=2, read_seconds=20, max_attempts=5)
AVAILABLE = "available"
MAX_IDENTIFIER_CHARACTERS = 63
# An instance does not leave these by itself, and RDS changes none that has one:
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Overview.DBInstance.Status.html
FAILED = "failed"
_LASTING_STATUSES = frozenset({FAILED, "stopped", "stopping", "insufficient-capacity", "storage-full"})
_LASTING_BEGINNINGS = ("incompatible-", "inaccessible-", "restore-error")
_ERRORS = {
    "DBInstanceNotFound": InstanceNotFound,
    "DBInstanceAutomatedBackupNotFound": InstanceNotFound,
    "DBInstanceAlreadyExists": InstanceExists,
    "DBSnapshotNotFound": SnapshotNotFound,
    "InvalidDBInstanceState": InstanceBusy,
    "InvalidDBSnapshotState": InstanceBusy,
    "InvalidRestoreFault": NotRestorable,
    "PointInTimeRestoreNotEnabled": NotRestorable,
}
_MISSING = (InstanceNotFound, SnapshotNotFound)
Parameters = dict[str, Any]


@dataclass(frozen=True)
class Instance:
    """A DB instance. `details` is RDS's own description of it."""

    identifier: str
    status: str
    arn: str
    resource_id: str
    host: str
    port: int
    details: Mapping[str, Any]

    @property
    def is_available(self) -> bool:
        """Whether RDS lets one change it."""
        return self.status == AVAILABLE

    @property
    def is_stuck(self) -> bool:
        """Whether its status does not end by itself, so that it makes no sense to wait for the instance."""
        return self.status in _LASTING_STATUSES or self.status.startswith(_LASTING_BEGINNINGS)

    @property
    def source_identifier(self) -> str:
        """The instance that it replicates, or an empty text for a primary."""
        return str(self.details.get("ReadReplicaSourceDBInstanceIdentifier") or "")

    @property
    def pending_changes(self) -> tuple[str, ...]:
        """The names of the changes that RDS has accepted and not made yet."""
        return tuple(sorted(name for name, value in self.details.get("PendingModifiedValues", {}).items() if value))

    @property
    def parameter_status(self) -> str:
        """Whether its parameter group is in force: `in-sync`, `applying` or `pending-reboot`."""
        groups = self.details.get("DBParameterGroups", [])
        return str(groups[0].get("ParameterApplyStatus", "")) if groups else ""


@dataclass(frozen=True)
class AutomatedBackup:
    """The automated backup of one instance, also of a deleted one, and the moments it can restore."""

    identifier: str
    resource_id: str
    status: str
    earliest: datetime.datetime | None
    latest: datetime.datetime | None


@dataclass(frozen=True)
class Snapshot:
    """A snapshot of an instance. `created` is None until it has begun."""

    identifier: str
    instance_identifier: str
    resource_id: str
    status: str
    kind: str
    created: datetime.datetime | None
    storage: int
    details: Mapping[str, Any]


class RdsClient:
    """The RDS operations of a restore.

    Every method raises InstanceNotFound, InstanceExists, SnapshotNotFound, InstanceBusy (the status does not allow the
    change now), NotRestorable, or AwsError with AWS's own code for anything else.
    """

    def __init__(self, client: AwsClient) -> None:
        self._client = client

    def describe_instance(self, identifier: str) -> Instance:
        """Return an instance as RDS describes it now."""
        response = self._call("DescribeDBInstances", DBInstanceIdentifier=identifier)
        return _parse_instance(response["DBInstances"][0])

    def look_up_instance(self, identifier: str) -> Instance | None:
        """Return an instance, or None if there is none."""
        try:
            return self.describe_instance(identifier)
        except InstanceNotFound:
            return None

    def describe_backups(self, identifier: str) -> tuple[AutomatedBackup, ...]:
        """Return the automated backups under the name of an instance: its own first, then those of deleted ones."""
        try:
            response = self._call("DescribeDBInstanceAutomatedBackups", DBInstanceIdentifier=identifier)
        except _MISSING:
            return ()
        backups = [_parse_backup(backup) for backup in response.get("DBInstanceAutomatedBackups", [])]
        return tuple(sorted(backups, key=_rank_backup))

    def describe_snapshots(self, identifier: str) -> tuple[Snapshot, ...]:
        """Return the snapshots under the name of an instance, the newest first."""
        snapshots: list[Snapshot] = []
        marker: Parameters = {}
        while True:
            response = self._call("DescribeDBSnapshots", DBInstanceIdentifier=identifier, **marker)
            snapshots += [_parse_snapshot(snapshot) for snapshot in response.get("DBSnapshots", [])]
            if not response.get("Marker"):
                return tuple(sorted(snapshots, key=_get_creation_time, reverse=True))
            marker = {"Marker": response["Marker"]}

    def describe_snapshot(self, snapshot: str) -> Snapshot:
        """Return one snapshot by its identifier."""
        response = self._call("DescribeDBSnapshots", DBSnapshotIdentifier=snapshot)
        if not response.get("DBSnapshots"):
            raise SnapshotNotFound(f"There is no snapshot {snapshot}.")
        return _parse_snapshot(response["DBSnapshots"][0])

    def restore_to_moment(
        self, source: Parameters, target: str, moment: datetime.datetime | None, settings: Parameters
    ) -> None:
        """Begin to restore a new instance `target` at a moment (None: the latest one).

        `source` is {"SourceDBInstanceIdentifier": …} or, for a deleted instance, {"SourceDbiResourceId": …}.
        """
        time: Parameters = {"RestoreTime": moment} if moment else {"UseLatestRestorableTime": True}
        self._call("RestoreDBInstanceToPointInTime", **source, TargetDBInstanceIdentifier=target, **time, **settings)

    def restore_snapshot(self, snapshot: str, target: str, settings: Parameters) -> None:
        """Begin to restore a new instance `target` from a snapshot."""
        self._call(
            "RestoreDBInstanceFromDBSnapshot", DBSnapshotIdentifier=snapshot, DBInstanceIdentifier=target, **settings
        )

    def rename_instance(self, identifier: str, new_identifier: str) -> None:
        """Begin to give an instance another identifier, and with it another endpoint. RDS reboots it."""
        self.modify_instance(identifier, {"NewDBInstanceIdentifier": new_identifier})

    def set_master_password(self, identifier: str, password: str) -> None:
        """Begin to give the admin of an instance a password. RDS does it without a reboot."""
        self.modify_instance(identifier, {"MasterUserPassword": password})

    def set_admin_password(self, instance: Instance, admin: Credentials) -> bool:
        """Begin to give the admin the password of its secret, because a backup has that of its time.

        Return whether the secret's user is RDS's master user: RDS sets the password of no other one.
        """
        if instance.details.get("MasterUsername", admin.username) != admin.username:
            return False
        self.set_master_password(instance.identifier, admin.password)
        return True

    def modify_instance(self, identifier: str, changes: Parameters) -> None:
        """Begin to make changes at once, not in the next maintenance window."""
        self._call("ModifyDBInstance", DBInstanceIdentifier=identifier, ApplyImmediately=True, **changes)

    def reboot_instance(self, identifier: str) -> None:
        """Begin to reboot an instance, for example to put its parameter group in force."""
        self._call("RebootDBInstance", DBInstanceIdentifier=identifier)

    def promote_replica(self, identifier: str, backup_retention_days: int) -> None:
        """Begin to make a replica an instance of its own, which takes writes and is backed up."""
        self._call("PromoteReadReplica", DBInstanceIdentifier=identifier, BackupRetentionPeriod=backup_retention_days)

    def create_replica(self, source: str, identifier: str, settings: Parameters) -> None:
        """Begin to create a replica of an instance."""
        self._call(
            "CreateDBInstanceReadReplica",
            SourceDBInstanceIdentifier=source,
            DBInstanceIdentifier=identifier,
            **settings,
        )

    def delete_instance(self, identifier: str) -> None:
        """Begin to delete an instance with its automated backups, without a last snapshot."""
        self._call("DeleteDBInstance", DBInstanceIdentifier=identifier, SkipFinalSnapshot=True)

    def read_tags(self, arn: str) -> dict[str, str]:
        """Return the tags of an instance, without those that only AWS can set."""
        tags = self._call("ListTagsForResource", ResourceName=arn).get("TagList", [])
        return {tag["Key"]: tag["Value"] for tag in tags if not tag["Key"].startswith("aws:")}

    def add_tags(self, arn: str, tags: Mapping[str, str]) -> None:
        """Add tags to an instance, or replace their values."""
        self._call("AddTagsToResource", ResourceName=arn, Tags=format_tags(tags))

    def _call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        try:
            return self._client.call(operation, parameters)
        except AwsError as error:
            raise _classify_aws_error(error, parameters) from None


@cache
def get_rds_client() -> RdsClient:
    """Return the client of the process. The first call creates it, which takes a moment."""
    return RdsClient(BotocoreClient(RDS_SERVICE))


def format_tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags in the form that RDS's operations take."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _classify_aws_error(error: AwsError, parameters: Parameters) -> Exception:
    error_class = _ERRORS.get(error.code)
    if error_class is None:
        return error
    names = ("DBSnapshotIdentifier", "DBInstanceIdentifier", "SourceDBInstanceIdentifier", "SourceDbiResourceId")
    subject = ", ".join(str(parameters[name]) for name in names if name in parameters)
    return error_class(f"RDS answers {error.code} to {error.operation} of {subject}.")


def _parse_instance(details: dict[str, Any]) -> Instance:
    endpoint = details.get("Endpoint") or {}
    return Instance(
        identifier=details["DBInstanceIdentifier"],
        status=details["DBInstanceStatus"],
        arn=details.get("DBInstanceArn", ""),
        resource_id=details.get("DbiResourceId", ""),
        host=endpoint.get("Address", ""),
        port=int(endpoint.get("Port", 0)),
        details=details,
    )


def _parse_backup(details: dict[str, Any]) -> AutomatedBackup:
    window = details.get("RestoreWindow") or {}
    return AutomatedBackup(
        identifier=details.get("DBInstanceIdentifier", ""),
        resource_id=details.get("DbiResourceId", ""),
        status=details.get("Status", ""),
        earliest=window.get("EarliestTime"),
        latest=window.get("LatestTime"),
    )


def _parse_snapshot(details: dict[str, Any]) -> Snapshot:
    return Snapshot(
        identifier=details["DBSnapshotIdentifier"],
        instance_identifier=details.get("DBInstanceIdentifier", ""),
        resource_id=details.get("DbiResourceId", ""),
        status=details.get("Status", ""),
        kind=details.get("SnapshotType", ""),
        created=details.get("SnapshotCreateTime"),
        storage=int(details.get("AllocatedStorage", 0)),
        details=details,
    )


_BEGINNING = datetime.datetime.min.replace(tzinfo=datetime.UTC)


def _rank_backup(backup: AutomatedBackup) -> tuple[bool, float]:
    """The backup of a running instance is `active`; after it, the one that reaches the latest moment."""
    return backup.status != "active", -((backup.latest or _BEGINNING) - _BEGINNING).total_seconds()


def _get_creation_time(snapshot: Snapshot) -> datetime.datetime:
    return snapshot.created or _BEGINNING
