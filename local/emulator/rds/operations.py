"""The operations of RDS that the package replaces: they check a request, begin the change and describe its subject.

Errors: https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RestoreDBInstanceToPointInTime.html and the pages
of the other operations.
"""

import hashlib
import re
from collections.abc import Callable
from typing import Any

from local.database.backups import Backups, Snapshot
from local.emulator.rds.changes import AVAILABLE, FAILED, Changes
from local.emulator.rds.descriptions import Descriptions
from local.emulator.rds.registry import PREFIX, Instance, Registry
from local.emulator.rds.xml import Request, RequestError, Response, build_error, build_response

_IDENTIFIER = re.compile(r"[a-z](?:-?[a-z0-9])*")
_MAX_IDENTIFIER = 63
_Content = dict[str, Any]


class Operations:
    """The operations by their names. Each takes a request and returns the content of the response."""

    def __init__(self, registry: Registry, changes: Changes, backups: Backups, descriptions: Descriptions) -> None:
        self._registry, self._changes, self._backups = registry, changes, backups
        self._descriptions = descriptions

    def list_handlers(self) -> dict[str, Callable[[Any], Response]]:
        """The handlers by action, as MiniStack's RDS has them."""
        actions: dict[str, Callable[[Request], _Content]] = {
            "DescribeDBInstances": self._describe_instances,
            "DescribeDBSnapshots": self._describe_snapshots,
            "DescribeDBInstanceAutomatedBackups": self._describe_automated_backups,
            "RestoreDBInstanceToPointInTime": self._restore_to_moment,
            "RestoreDBInstanceFromDBSnapshot": self._restore_snapshot,
            "CreateDBInstanceReadReplica": self._create_replica,
            "CreateDBSnapshot": self._create_snapshot,
            "ModifyDBInstance": self._modify,
            "RebootDBInstance": self._reboot,
            "PromoteReadReplica": self._promote,
            "DeleteDBInstance": self._delete,
            "DeleteDBSnapshot": self._delete_snapshot,
            "ListTagsForResource": self._list_tags,
            "AddTagsToResource": self._add_tags,
        }
        return {name: _build_handler(name, operation) for name, operation in actions.items()}

    def _describe_instances(self, request: Request) -> _Content:
        wanted = request.get("DBInstanceIdentifier")
        instances = [self._find(wanted)] if wanted else self._registry.list_instances()
        return {"DBInstances": [self._descriptions.describe_instance(instance) for instance in instances]}

    def _describe_snapshots(self, request: Request) -> _Content:
        snapshots = [
            *map(self._descriptions.describe_snapshot, self._backups.list_snapshots()),
            *self._descriptions.describe_unfinished_snapshots(),
        ]
        for name, field in (
            ("DBSnapshotIdentifier", "DBSnapshotIdentifier"),
            ("DBInstanceIdentifier", "DBInstanceIdentifier"),
            ("DbiResourceId", "DbiResourceId"),
            ("SnapshotType", "SnapshotType"),
        ):
            if wanted := request.get(name):
                snapshots = [snapshot for snapshot in snapshots if snapshot[field] == wanted]
        if request.get("DBSnapshotIdentifier") and not snapshots:
            raise _build_snapshot_error(request.get("DBSnapshotIdentifier"))
        return {"DBSnapshots": snapshots}

    def _describe_automated_backups(self, request: Request) -> _Content:
        backups = self._descriptions.list_automated_backups()
        for name in ("DBInstanceIdentifier", "DbiResourceId"):
            if wanted := request.get(name):
                backups = [backup for backup in backups if backup[name] == wanted]
                if not backups:
                    message = f"There is no automated backup of {wanted}."
                    raise RequestError("DBInstanceAutomatedBackupNotFound", message, 404)
        return {"DBInstanceAutomatedBackups": backups}

    def _restore_to_moment(self, request: Request) -> _Content:
        resource, settings = self._find_source(request)
        target = self._check_new(request.require("TargetDBInstanceIdentifier"))
        moment, is_latest = request.get_time("RestoreTime"), request.get_flag("UseLatestRestorableTime")
        if (moment is None) != is_latest:
            message = "Either RestoreTime or UseLatestRestorableTime must be set, and not both."
            raise RequestError("InvalidParameterCombination", message)
        window = self._descriptions.find_window(resource)
        if window is None:
            raise RequestError("InvalidRestoreFault", "The instance has no backup that can be restored yet.")
        if moment is not None and not window[0] <= moment <= window[1]:
            message = "The specified time is not between the earliest and the latest restorable time."
            raise RequestError("InvalidRestoreFault", message)
        snapshot = self._backups.find_snapshot_before(resource, window[1] if moment is None else moment)
        if snapshot is None:
            raise RequestError("InvalidRestoreFault", "No backup is older than the specified time.")
        return self._begin_restore(request, target, settings, snapshot, until=moment, with_log=True)

    def _find_source(self, request: Request) -> tuple[str, _Content]:
        """The resource identifier of the instance to restore, and the settings that its copy has."""
        identifier, resource = request.get("SourceDBInstanceIdentifier"), request.get("SourceDbiResourceId")
        if bool(identifier) == bool(resource):
            message = "Either SourceDBInstanceIdentifier or SourceDbiResourceId must be set, and not both."
            raise RequestError("InvalidParameterCombination", message)
        source = self._find(identifier) if identifier else self._registry.find_resource(resource)
        if source is None:
            if resource not in self._registry.retained:
                message = f"There is no automated backup of {resource}."
                raise RequestError("DBInstanceAutomatedBackupNotFound", message, 404)
            return resource, {"BackupRetentionPeriod": 1}
        if not source.retention_days:
            message = f"Backups of {source.identifier} are switched off: its BackupRetentionPeriod is 0."
            raise RequestError("PointInTimeRestoreNotEnabled", message)
        return source.resource, _list_copied_settings(source)

    def _restore_snapshot(self, request: Request) -> _Content:
        wanted = request.require("DBSnapshotIdentifier")
        target = self._check_new(request.require("DBInstanceIdentifier"))
        snapshot = self._find_snapshot(wanted)
        source = self._registry.find_resource(snapshot.instance)
        settings = _list_copied_settings(source) if source else {"BackupRetentionPeriod": 1}
        return self._begin_restore(request, target, settings, snapshot, until=None, with_log=False)

    def _begin_restore(
        self, request: Request, target: str, settings: _Content, snapshot: Snapshot, **how: Any
    ) -> _Content:
        settings = {**settings, **request.read_settings()}
        with self._registry.change():
            instance = self._registry.add(target, "creating", settings, tags=request.read_tags())
            self._changes.begin(instance, "creating", "restore", snapshot=snapshot.folder, **how)
        return self._respond(instance)

    def _create_replica(self, request: Request) -> _Content:
        source = self._find(request.require("SourceDBInstanceIdentifier"))
        target = self._check_new(request.require("DBInstanceIdentifier"))
        self._check_available(source)
        if not source.retention_days:
            message = f"{source.identifier} has no automated backups, which the source of a replica needs."
            raise RequestError("InvalidDBInstanceState", message)
        settings = {**_list_copied_settings(source), "BackupRetentionPeriod": 0, **request.read_settings()}
        with self._registry.change():
            fields = {"source": source.resource, "tags": request.read_tags()}
            instance = self._registry.add(target, "creating", settings, **fields)
            self._changes.begin(instance, "creating", "replicate")
        return self._respond(instance)

    def _create_snapshot(self, request: Request) -> _Content:
        instance, identifier = self._find(request.require("DBInstanceIdentifier")), request.get("DBSnapshotIdentifier")
        if not _IDENTIFIER.fullmatch(identifier):
            raise RequestError("InvalidParameterValue", "DBSnapshotIdentifier is not a valid identifier.")
        if identifier in {snapshot.identifier for snapshot in self._backups.list_snapshots()}:
            raise RequestError("DBSnapshotAlreadyExists", f"The snapshot {identifier} exists already.")
        self._check_available(instance)
        self._changes.begin_backup(instance, identifier, "manual")
        [snapshot] = [
            entry
            for entry in self._descriptions.describe_unfinished_snapshots()
            if entry["DBSnapshotIdentifier"] == identifier
        ] or [self._descriptions.describe_snapshot(self._find_snapshot(identifier))]
        return {"DBSnapshot": snapshot}

    def _modify(self, request: Request) -> _Content:
        instance = self._find(request.require("DBInstanceIdentifier"))
        name, password = request.get("NewDBInstanceIdentifier"), request.get("MasterUserPassword")
        new_name = self._check_new(name) if name and name.lower() != instance.identifier else ""
        settings = request.read_settings()
        if not request.get_flag("ApplyImmediately"):
            message = "The local stack has no maintenance window; set ApplyImmediately."
            raise RequestError("InvalidParameterCombination", message)
        if password and instance.source:
            message = "The password of a replica is that of its source."
            raise RequestError("InvalidParameterCombination", message)
        if password and not 8 <= len(password) <= 41:
            raise RequestError("InvalidParameterValue", "MasterUserPassword must have 8 to 41 characters.")
        # The data of a failed instance are gone: it can still be renamed.
        self._check_available(instance, allows_failed=bool(new_name) and not password)
        status = "renaming" if new_name else "resetting-master-credentials" if password else "modifying"
        with self._registry.change():
            needs = {"settings": settings, "password": _hash_password(password), "name": new_name}
            self._changes.begin(instance, status, "modify", **needs)
        return self._respond(instance)

    def _reboot(self, request: Request) -> _Content:
        instance = self._find(request.require("DBInstanceIdentifier"))
        self._check_available(instance)
        with self._registry.change():
            self._changes.begin(instance, "rebooting", "reboot")
        return self._respond(instance)

    def _promote(self, request: Request) -> _Content:
        instance = self._find(request.require("DBInstanceIdentifier"))
        if not instance.source:
            raise RequestError("InvalidDBInstanceState", f"{instance.identifier} is not a read replica.")
        self._check_available(instance)
        retention = {"BackupRetentionPeriod": 1, **request.read_settings()}
        with self._registry.change():
            instance.settings.update(retention)
            self._changes.begin(instance, "modifying", "promote")
        return self._respond(instance)

    def _delete(self, request: Request) -> _Content:
        instance = self._find(request.require("DBInstanceIdentifier"))
        if instance.settings.get("DeletionProtection"):
            raise RequestError("InvalidParameterCombination", "Cannot delete protected DB Instance.")
        if not request.get_flag("SkipFinalSnapshot"):
            message = "The local stack takes no final snapshot; set SkipFinalSnapshot."
            raise RequestError("InvalidParameterCombination", message)
        self._check_available(instance, allows_failed=True)
        keeps = not request.get_flag("DeleteAutomatedBackups", default=True)
        with self._registry.change():
            self._changes.begin(instance, "deleting", "delete", keeps_backups=keeps)
        return self._respond(instance)

    def _delete_snapshot(self, request: Request) -> _Content:
        snapshot = self._find_snapshot(request.require("DBSnapshotIdentifier"))
        if snapshot.kind == "automated":
            message = "An automated snapshot is deleted with its instance or after its retention."
            raise RequestError("InvalidDBSnapshotState", message)
        description = self._descriptions.describe_snapshot(snapshot)
        self._backups.delete(snapshot)
        return {"DBSnapshot": {**description, "Status": "deleted"}}

    def _list_tags(self, request: Request) -> _Content:
        tags = self._find(request.require("ResourceName")).tags
        return {"TagList": [{"Key": key, "Value": value} for key, value in tags.items()]}

    def _add_tags(self, request: Request) -> _Content:
        instance = self._find(request.require("ResourceName"))
        with self._registry.change():
            instance.tags.update(request.read_tags())
        return {}

    def _find(self, identifier: str) -> Instance:
        instance = self._registry.find(identifier)
        if instance is None:
            raise RequestError("DBInstanceNotFound", f"DBInstance {identifier} not found.", 404)
        return instance

    def _find_snapshot(self, identifier: str) -> Snapshot:
        wanted = identifier.partition(":snapshot:")[2] or identifier
        for snapshot in self._backups.list_snapshots():
            if snapshot.identifier == wanted:
                return snapshot
        raise _build_snapshot_error(identifier)

    def _check_new(self, identifier: str) -> str:
        """The name of the server of a new identifier."""
        lower = identifier.lower()
        if not _IDENTIFIER.fullmatch(lower) or len(lower) > _MAX_IDENTIFIER or not lower.startswith(PREFIX):
            message = (
                f"An identifier has 1 to {_MAX_IDENTIFIER} letters, digits and single hyphens; "
                f"on the local stack it begins with {PREFIX}."
            )
            raise RequestError("InvalidParameterValue", message)
        if self._registry.find(lower) is not None:
            raise RequestError("DBInstanceAlreadyExists", f"DB Instance {lower} already exists.")
        return lower.removeprefix(PREFIX)

    def _check_available(self, instance: Instance, *, allows_failed: bool = False) -> None:
        status = self._descriptions.get_status(instance)
        if status != AVAILABLE and not (allows_failed and status == FAILED):
            message = f"Instance {instance.identifier} is not in available state; its status is {status}."
            raise RequestError("InvalidDBInstanceState", message)

    def _respond(self, instance: Instance) -> _Content:
        return {"DBInstance": self._descriptions.describe_instance(instance)}


def _build_handler(action: str, operation: Callable[[Request], _Content]) -> Callable[[Any], Response]:
    def handle(parameters: Any) -> Response:
        try:
            return build_response(action, operation(Request(parameters)))
        except RequestError as error:
            return build_error(error)

    return handle


def _build_snapshot_error(identifier: str) -> RequestError:
    return RequestError("DBSnapshotNotFound", f"DBSnapshot {identifier} not found.", 404)


def _list_copied_settings(source: Instance) -> _Content:
    """What a restored instance or a replica has of its source. Network and parameters have RDS's defaults, unless the
    request names them."""
    names = ("DBInstanceClass", "AllocatedStorage", "StorageType", "CopyTagsToSnapshot", "BackupRetentionPeriod")
    return {name: source.settings[name] for name in names if name in source.settings}


def _hash_password(password: str) -> str:
    """MariaDB's hash of a password (mysql_native_password), so that no file has the password itself."""
    if not password:
        return ""
    return f"*{hashlib.sha1(hashlib.sha1(password.encode()).digest()).hexdigest().upper()}"  # noqa: S324
