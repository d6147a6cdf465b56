"""Instances, snapshots and automated backups as RDS describes them."""

from typing import Any

import pymysql

from local.database import DatabaseServers
from local.database.backups import Backups, Snapshot
from local.database.binlog_stream import read_streamed_moment
from local.emulator.rds.changes import AVAILABLE, FAILED
from local.emulator.rds.events import build_arn
from local.emulator.rds.registry import PREFIX, Instance, Registry
from local.emulator.rds.xml import format_time

_ENGINE = {"Engine": "mariadb", "EngineVersion": "10.11", "LicenseModel": "general-public-license"}

_ANSWER_SECONDS = 2.0


class Descriptions:
    """Describes what the registry and the backups have."""

    def __init__(self, registry: Registry, servers: DatabaseServers, backups: Backups) -> None:
        self._registry, self._servers, self._backups = registry, servers, backups

    def get_status(self, instance: Instance) -> str:
        """The status; an instance that has lost its data has failed."""
        server = self._servers.get(instance.name)
        return FAILED if instance.status == AVAILABLE and not server.data.exists() else instance.status

    def find_window(self, resource: str) -> tuple[float, float] | None:
        """The earliest and the latest moment that can be restored, in whole seconds, or None."""
        snapshots = [entry for entry in self._backups.list_snapshots() if entry.instance == resource]
        until = read_streamed_moment(self._backups.get_log_folder(resource))
        if not snapshots or until is None or until < snapshots[0].created:
            return None
        # RestoreTime has seconds: the first whole one after the snapshot.
        return float(int(snapshots[0].created) + 1), float(int(until))

    def describe_instance(self, instance: Instance) -> dict[str, Any]:
        settings, server = instance.settings, self._servers.get(instance.name)
        source = self._registry.find_resource(instance.source) if instance.source else None
        window = self.find_window(instance.resource) if instance.retention_days else None
        replicas = self._registry.list_replicas(instance)
        return {
            "DBInstanceIdentifier": instance.identifier,
            "DbiResourceId": instance.resource,
            "DBInstanceArn": build_arn("db", instance.identifier),
            "DBInstanceStatus": self.get_status(instance),
            "DBInstanceClass": settings.get("DBInstanceClass"),
            **_ENGINE,
            "MasterUsername": self._servers.admin_credentials[0],
            "Endpoint": {"Address": server.host, "Port": server.reserve_port()}
            if instance.status != "creating"
            else None,
            "AllocatedStorage": settings.get("AllocatedStorage"),
            "StorageType": settings.get("StorageType"),
            "StorageEncrypted": True,
            "InstanceCreateTime": format_time(instance.created),
            "BackupRetentionPeriod": instance.retention_days,
            "LatestRestorableTime": format_time(window[1]) if window else None,
            "MultiAZ": settings.get("MultiAZ", False),
            "PubliclyAccessible": settings.get("PubliclyAccessible", False),
            "CopyTagsToSnapshot": settings.get("CopyTagsToSnapshot", False),
            "DeletionProtection": settings.get("DeletionProtection", False),
            "DBSubnetGroup": {"DBSubnetGroupName": settings["DBSubnetGroupName"]},
            "DBParameterGroups": [
                {
                    "DBParameterGroupName": settings["DBParameterGroupName"],
                    "ParameterApplyStatus": settings.get("ParameterApplyStatus", "in-sync"),
                }
            ],
            "VpcSecurityGroups": [
                {"VpcSecurityGroupId": group, "Status": "active"} for group in settings["VpcSecurityGroupIds"]
            ],
            "PendingModifiedValues": {},
            "ReadReplicaSourceDBInstanceIdentifier": source.identifier if source else None,
            "ReadReplicaDBInstanceIdentifiers": [replica.identifier for replica in replicas],
            "StatusInfos": [self._describe_replication(instance)] if source and instance.status == AVAILABLE else [],
            "TagList": [{"Key": key, "Value": value} for key, value in instance.tags.items()],
        }

    def _describe_replication(self, instance: Instance) -> dict[str, Any]:
        try:
            status = self._servers.get(instance.name).read_replication_status(_ANSWER_SECONDS)
        except (OSError, pymysql.Error):
            status = {}
        is_normal = status.get("Slave_IO_Running") == status.get("Slave_SQL_Running") == "Yes"
        return {
            "StatusType": "read replication",
            "Normal": is_normal,
            "Status": "replicating" if is_normal else "error",
            "Message": status.get("Last_SQL_Error") or status.get("Last_IO_Error") or None,
        }

    def describe_snapshot(self, snapshot: Snapshot) -> dict[str, Any]:
        return {
            "DBSnapshotIdentifier": snapshot.identifier,
            "DBSnapshotArn": build_arn("snapshot", snapshot.identifier),
            "DBInstanceIdentifier": PREFIX + self._get_name(snapshot),
            "DbiResourceId": snapshot.instance,
            "SnapshotType": snapshot.kind,
            "SnapshotCreateTime": format_time(snapshot.created),
            "OriginalSnapshotCreateTime": format_time(snapshot.created),
            "Status": AVAILABLE,
            "PercentProgress": 100,
            "AllocatedStorage": 20,
            "Encrypted": True,
            "MasterUsername": self._servers.admin_credentials[0],
            **_ENGINE,
        }

    def _get_name(self, snapshot: Snapshot) -> str:
        """The present name of an instance that was renamed. A deleted one keeps that of the snapshot."""
        instance = self._registry.find_resource(snapshot.instance)
        return instance.name if instance else snapshot.name

    def describe_unfinished_snapshots(self) -> list[dict[str, Any]]:
        """The snapshots that are being taken."""
        return [
            {
                "DBSnapshotIdentifier": instance.operation["snapshot"],
                "DBInstanceIdentifier": instance.identifier,
                "DbiResourceId": instance.resource,
                "SnapshotType": instance.operation["snapshot_kind"],
                "Status": "creating",
                **_ENGINE,
            }
            for instance in self._registry.list_instances()
            if instance.operation and instance.operation["kind"] == "back_up"
        ]

    def list_automated_backups(self) -> list[dict[str, Any]]:
        """The automated backups of instances, and those of deleted ones that were kept."""
        owners = {
            owner.resource: (owner.name, "active") for owner in self._registry.list_instances() if owner.retention_days
        }
        owners |= {resource: (name, "retained") for resource, name in self._registry.retained.items()}
        return [self._describe_backup(resource, *owner) for resource, owner in owners.items()]

    def _describe_backup(self, resource: str, name: str, status: str) -> dict[str, Any]:
        window = self.find_window(resource)
        return {
            "DBInstanceArn": build_arn("db", PREFIX + name),
            "DbiResourceId": resource,
            "DBInstanceIdentifier": PREFIX + name,
            "Status": status,
            "RestoreWindow": {"EarliestTime": format_time(window[0]), "LatestTime": format_time(window[1])}
            if window
            else None,
            "AllocatedStorage": 20,
            "Encrypted": True,
            **_ENGINE,
        }
