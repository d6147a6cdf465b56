"""The settings of an instance, read from RDS's description of it, in the form that RDS's operations take.

A restore copies little: it takes the default parameter group, security group and subnet group, one availability zone,
and neither log exports nor monitoring, unless the request says otherwise. See ADR-0156 for AWS's words.
"""

from collections.abc import Mapping
from typing import Any

Description = Mapping[str, Any]
Settings = dict[str, Any]

_COPIED = (
    "DBInstanceClass",
    "MultiAZ",
    "PubliclyAccessible",
    "AutoMinorVersionUpgrade",
    "CopyTagsToSnapshot",
    "DeletionProtection",
    "CACertificateIdentifier",
    "NetworkType",
)
# RDS refuses these values of gp3 when somebody sets them: they are its baseline for small storage.
_BASELINE_IOPS = 3000


def build_restore_settings(description: Description) -> Settings:
    """Return what a restore needs to make an instance like the described one."""
    settings = _copy_settings(description)
    if groups := description.get("OptionGroupMemberships"):
        settings["OptionGroupName"] = groups[0]["OptionGroupName"]
    if subnet_group := get_subnet_group(description):
        settings["DBSubnetGroupName"] = subnet_group
    if "IAMDatabaseAuthenticationEnabled" in description:
        settings["EnableIAMDatabaseAuthentication"] = description["IAMDatabaseAuthenticationEnabled"]
    return settings


def build_replica_settings(description: Description) -> Settings:
    """Return what RDS needs to create a replica like the described one. Its subnets are the primary's."""
    settings = _copy_settings(description)
    settings |= _build_monitoring(description)
    if limit := description.get("MaxAllocatedStorage"):
        settings["MaxAllocatedStorage"] = limit
    return settings


def build_changes(wanted: Description, actual: Description) -> Settings:
    """Return the changes that make an instance like the wanted one, as ModifyDBInstance takes them; often none."""
    changes: Settings = {}
    for name in (
        "DBInstanceClass",
        "MultiAZ",
        "CopyTagsToSnapshot",
        "DeletionProtection",
        "BackupRetentionPeriod",
        "PreferredBackupWindow",
        "PreferredMaintenanceWindow",
        "MaxAllocatedStorage",
    ):
        if wanted.get(name) not in (None, actual.get(name)):
            changes[name] = wanted[name]
    if not wanted.get("BackupRetentionPeriod"):
        # Of a replica, which needs no backups. RDS makes no replica of a primary that has none.
        changes.pop("BackupRetentionPeriod", None)
    if get_parameter_group(wanted) not in ("", get_parameter_group(actual)):
        changes["DBParameterGroupName"] = get_parameter_group(wanted)
    if get_security_groups(wanted) != get_security_groups(actual) and get_security_groups(wanted):
        changes["VpcSecurityGroupIds"] = get_security_groups(wanted)
    monitoring = _build_monitoring(wanted)
    if monitoring != _build_monitoring(actual):
        changes |= monitoring
    missing_logs = set(wanted.get("EnabledCloudwatchLogsExports", [])) - set(
        actual.get("EnabledCloudwatchLogsExports", [])
    )
    if missing_logs:
        changes["CloudwatchLogsExportConfiguration"] = {"EnableLogTypes": sorted(missing_logs)}
    return changes


def get_parameter_group(description: Description) -> str:
    """Return the name of an instance's parameter group, or an empty text."""
    groups = description.get("DBParameterGroups", [])
    return str(groups[0]["DBParameterGroupName"]) if groups else ""


def _copy_settings(description: Description) -> Settings:
    settings = {name: description[name] for name in _COPIED if description.get(name) is not None}
    if group := get_parameter_group(description):
        settings["DBParameterGroupName"] = group
    if groups := get_security_groups(description):
        settings["VpcSecurityGroupIds"] = groups
    if logs := description.get("EnabledCloudwatchLogsExports"):
        settings["EnableCloudwatchLogsExports"] = list(logs)
    return settings | build_storage_settings(description)


def build_storage_settings(description: Description) -> Settings:
    """Return the type of an instance's storage, and its IOPS where RDS wants them with the type."""
    storage_type, iops = description.get("StorageType"), description.get("Iops") or 0
    settings: Settings = {} if storage_type is None else {"StorageType": storage_type}
    if iops > _BASELINE_IOPS or str(storage_type).startswith("io"):
        settings["Iops"] = iops
        if description.get("StorageThroughput"):
            settings["StorageThroughput"] = description["StorageThroughput"]
    return settings


def get_subnet_group(description: Description) -> str:
    """Return the name of an instance's subnet group, or an empty text."""
    return str(description.get("DBSubnetGroup", {}).get("DBSubnetGroupName", ""))


def get_security_groups(description: Description) -> list[str]:
    """Return the identifiers of an instance's security groups, in alphabetical order."""
    return sorted(group["VpcSecurityGroupId"] for group in description.get("VpcSecurityGroups", []))


def _build_monitoring(description: Description) -> Settings:
    settings: Settings = {}
    if description.get("MonitoringInterval"):
        settings["MonitoringInterval"] = description["MonitoringInterval"]
        settings["MonitoringRoleArn"] = description["MonitoringRoleArn"]
    if description.get("PerformanceInsightsEnabled"):
        settings["EnablePerformanceInsights"] = True
        settings["PerformanceInsightsRetentionPeriod"] = description["PerformanceInsightsRetentionPeriod"]
    return settings
