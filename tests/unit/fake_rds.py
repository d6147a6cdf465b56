"""RDS in memory, as a client of AWS: what a change has begun is done after some looks at the instance.

tests/stack/test_restore_workflow.py runs the same steps against the local stack's RDS, which has real servers.
"""

import datetime
from typing import Any

from sluice.errors import AwsError

EARLIEST = datetime.datetime(2026, 11, 22, 3, 5, tzinfo=datetime.UTC)
LATEST = datetime.datetime(2026, 11, 29, 3, 0, tzinfo=datetime.UTC)


class FakeRds:
    """`instances` by identifier, as RDS describes them. Each status but `available` lasts for `looks` descriptions."""

    def __init__(self, looks: int = 1) -> None:
        self.instances: dict[str, dict[str, Any]] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self.backups: list[dict[str, Any]] = []
        self.snapshots: list[dict[str, Any]] = []
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.looks = looks
        self._count = 0

    def add(self, identifier: str, status: str = "available", **details: Any) -> dict[str, Any]:
        """Add an instance."""
        self._count += 1
        instance = {
            "DBInstanceIdentifier": identifier,
            "DBInstanceStatus": status,
            "DBInstanceArn": f"arn:{self._count}",
            "DbiResourceId": f"db-{self._count}",
            "DBInstanceClass": "db.t4g.medium",
            "AllocatedStorage": 20,
            "BackupRetentionPeriod": 7,
            "Endpoint": {"Address": f"{identifier}.example.com", "Port": 3306},
            **details,
        }
        self.instances[identifier] = instance
        self.tags[instance["DBInstanceArn"]] = {}
        return instance

    def add_backup(self, identifier: str, status: str = "active") -> None:
        """Add an automated backup of seven days."""
        window = {"EarliestTime": EARLIEST, "LatestTime": LATEST}
        backup = {"DBInstanceIdentifier": identifier, "DbiResourceId": "db-0", "Status": status}
        self.backups.append({**backup, "RestoreWindow": window})

    def list_changes(self) -> list[str]:
        """The operations that changed something, in order."""
        return [name for name, _ in self.calls if not name.startswith(("Describe", "List"))]

    def call(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """See AwsClient."""
        self.calls.append((operation, parameters))
        answer: dict[str, Any] = getattr(self, f"_{operation}")(**parameters) or {}
        return answer

    def _begin(self, instance: dict[str, Any], status: str, **changes: Any) -> None:
        instance["DBInstanceStatus"], instance["_looks"], instance["_changes"] = status, self.looks, changes

    def _find(self, identifier: str) -> dict[str, Any]:
        if identifier not in self.instances:
            raise AwsError("DBInstanceNotFound", status=404)
        return self.instances[identifier]

    def _find_available(self, identifier: str) -> dict[str, Any]:
        instance = self._find(identifier)
        if instance["DBInstanceStatus"] != "available":
            raise AwsError("InvalidDBInstanceState", status=400)
        return instance

    def _DescribeDBInstances(self, DBInstanceIdentifier: str) -> dict[str, Any]:  # noqa: N802, N803  AWS's names
        instance = self._find(DBInstanceIdentifier)
        shown = {name: value for name, value in instance.items() if not name.startswith("_")}
        if "_looks" in instance:
            instance["_looks"] -= 1
            if instance["_looks"] <= 0:
                self._end_change(instance)
        return {"DBInstances": [shown]}

    def _end_change(self, instance: dict[str, Any]) -> None:
        changes = instance.pop("_changes")
        del instance["_looks"]
        old = instance["DBInstanceIdentifier"]
        instance.update(changes, DBInstanceStatus="available")
        self.instances.pop(old)
        if not changes.get("_is_deleted"):
            self.instances[instance["DBInstanceIdentifier"]] = instance

    def _DescribeDBInstanceAutomatedBackups(self, DBInstanceIdentifier: str) -> dict[str, Any]:  # noqa: N802, N803
        backups = [backup for backup in self.backups if backup["DBInstanceIdentifier"] == DBInstanceIdentifier]
        return {"DBInstanceAutomatedBackups": backups}

    def _DescribeDBSnapshots(self, **wanted: str) -> dict[str, Any]:  # noqa: N802
        return {"DBSnapshots": [entry for entry in self.snapshots if wanted.items() <= entry.items()]}

    def _ListTagsForResource(self, ResourceName: str) -> dict[str, Any]:  # noqa: N802, N803
        return {"TagList": [{"Key": key, "Value": value} for key, value in self.tags[ResourceName].items()]}

    def _AddTagsToResource(self, ResourceName: str, Tags: list[dict[str, str]]) -> None:  # noqa: N802, N803
        self.tags[ResourceName].update({tag["Key"]: tag["Value"] for tag in Tags})

    def _create(self, identifier: str, tags: list[dict[str, str]], **details: Any) -> None:
        if identifier in self.instances:
            raise AwsError("DBInstanceAlreadyExists", status=400)
        instance = self.add(identifier, "creating", **details)
        self._AddTagsToResource(instance["DBInstanceArn"], tags)
        self._begin(instance, "creating")

    def _RestoreDBInstanceToPointInTime(  # noqa: N802
        self, TargetDBInstanceIdentifier: str, Tags: list[dict[str, str]], **settings: Any  # noqa: N803
    ) -> None:  # fmt: skip
        self._create(TargetDBInstanceIdentifier, Tags, **_describe_settings(settings))

    def _RestoreDBInstanceFromDBSnapshot(  # noqa: N802
        self, DBInstanceIdentifier: str, Tags: list[dict[str, str]], **settings: Any  # noqa: N803
    ) -> None:  # fmt: skip
        self._create(DBInstanceIdentifier, Tags, **_describe_settings(settings))

    def _CreateDBInstanceReadReplica(  # noqa: N802
        self, SourceDBInstanceIdentifier: str, DBInstanceIdentifier: str, Tags: list[dict[str, str]], **settings: Any  # noqa: N803
    ) -> None:  # fmt: skip
        self._find_available(SourceDBInstanceIdentifier)
        self._create(DBInstanceIdentifier, Tags, ReadReplicaSourceDBInstanceIdentifier=SourceDBInstanceIdentifier)

    def _ModifyDBInstance(self, DBInstanceIdentifier: str, ApplyImmediately: bool, **changes: Any) -> None:  # noqa: N802, N803
        assert ApplyImmediately
        instance = self._find_available(DBInstanceIdentifier)
        if new := changes.pop("NewDBInstanceIdentifier", ""):
            if new in self.instances:
                raise AwsError("DBInstanceAlreadyExists", status=400)
            self._begin(instance, "renaming", DBInstanceIdentifier=new)
        else:
            self._begin(instance, "modifying", **_describe_settings(changes))

    def _RebootDBInstance(self, DBInstanceIdentifier: str) -> None:  # noqa: N802, N803
        instance = self._find_available(DBInstanceIdentifier)
        [group] = instance["DBParameterGroups"]
        self._begin(instance, "rebooting", DBParameterGroups=[{**group, "ParameterApplyStatus": "in-sync"}])

    def _PromoteReadReplica(self, DBInstanceIdentifier: str, BackupRetentionPeriod: int) -> None:  # noqa: N802, N803
        instance = self._find_available(DBInstanceIdentifier)
        changes = {"ReadReplicaSourceDBInstanceIdentifier": "", "BackupRetentionPeriod": BackupRetentionPeriod}
        self._begin(instance, "modifying", **changes)

    def _DeleteDBInstance(self, DBInstanceIdentifier: str, SkipFinalSnapshot: bool) -> None:  # noqa: N802, N803
        assert SkipFinalSnapshot
        self._begin(self._find(DBInstanceIdentifier), "deleting", _is_deleted=True)


def _describe_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of a request, as RDS describes them afterwards."""
    described: dict[str, Any] = {
        name: settings[name] for name in ("MultiAZ", "MaxAllocatedStorage", "BackupRetentionPeriod") if name in settings
    }
    described |= {name: settings[name] for name in ("MonitoringInterval", "MonitoringRoleArn") if name in settings}
    if name := settings.get("DBParameterGroupName"):
        described["DBParameterGroups"] = [{"DBParameterGroupName": name, "ParameterApplyStatus": "pending-reboot"}]
    if groups := settings.get("VpcSecurityGroupIds"):
        described["VpcSecurityGroups"] = [{"VpcSecurityGroupId": group} for group in groups]
    if logs := settings.get("EnableCloudwatchLogsExports"):
        described["EnabledCloudwatchLogsExports"] = logs
    if logs := settings.get("CloudwatchLogsExportConfiguration"):
        described["EnabledCloudwatchLogsExports"] = logs["EnableLogTypes"]
    return described
