"""The temporary instance of a proof: restored from the newest snapshot, and deleted at the end."""

import datetime
import hashlib
from typing import Any

from sluice.errors import InstanceExists, InstanceNotFound, NotRestorable, SnapshotNotFound
from sluice.proof.proof_state import BackupSnapshot, CopyInstance
from sluice.restore.instance_settings import (
    build_storage_settings,
    get_parameter_group,
    get_security_groups,
    get_subnet_group,
)
from sluice.restore.instances import MAX_IDENTIFIER_CHARACTERS, Instance, RdsClient, Snapshot, format_tags

# A copy for some hours needs no second zone and no protection.
_FIXED = {"MultiAZ": False, "DeletionProtection": False, "CopyTagsToSnapshot": False}
# The functions must reach the copy in the way in which they reach the primary, which may lead through the internet.
_COPIED = ("DBInstanceClass", "PubliclyAccessible")
# An instance in one of these states is on its way out.
_ENDING = frozenset({"deleting", "deleted"})


def name_instance(primary: str, execution: str, began: datetime.datetime) -> str:
    """The identifier of a proof's instance, the same in every step. The functions may delete only such instances.

    Stacks that share an instance start their proofs at the same time, so the time alone would name one copy for all.
    """
    digest = hashlib.sha256(execution.encode()).hexdigest()
    return f"{primary}-proof-{began:%m%d%H%M}{digest[:4]}"


def choose_snapshot(rds: RdsClient, primary: Instance) -> Snapshot:
    """Return the newest complete snapshot of the primary. Raises SnapshotNotFound if there is none.

    After a restore, older snapshots have the primary's name but belong to the instance that it replaced.
    """
    for snapshot in rds.describe_snapshots(primary.identifier):
        if snapshot.status == "available" and snapshot.resource_id in ("", primary.resource_id):
            return snapshot
    raise SnapshotNotFound(f"There is no snapshot of {primary.identifier} yet: RDS makes one each night.")


def restore_copy(rds: RdsClient, primary: Instance, snapshot: Snapshot, identifier: str) -> None:
    """Begin to restore the snapshot, with the network and the parameters of the primary. Repeating it is harmless.

    Raises NotRestorable if RDS takes no identifier of this length.
    """
    if len(identifier) > MAX_IDENTIFIER_CHARACTERS:
        raise NotRestorable(f"RDS takes no identifier as long as {identifier}: give the primary a shorter one.")
    tags = format_tags({**rds.read_tags(primary.arn), "sluice:proof": snapshot.identifier})
    try:
        rds.restore_snapshot(snapshot.identifier, identifier, {**build_copy_settings(primary), "Tags": tags})
    except InstanceExists:
        return


def build_copy_settings(primary: Instance) -> dict[str, Any]:
    """The settings with which the functions reach the copy: without them, RDS takes its default groups."""
    details = primary.details
    settings = {**_FIXED, **{name: details[name] for name in _COPIED if name in details}}
    settings |= build_storage_settings(details)
    if subnet_group := get_subnet_group(details):
        settings["DBSubnetGroupName"] = subnet_group
    if security_groups := get_security_groups(details):
        settings["VpcSecurityGroupIds"] = security_groups
    if parameter_group := get_parameter_group(details):
        settings["DBParameterGroupName"] = parameter_group
    return settings


def describe_copy(rds: RdsClient, identifier: str) -> CopyInstance | None:
    """Return the instance when it is available and its admin has the password that was set, or None before that."""
    instance = rds.describe_instance(identifier)
    if not instance.is_available or instance.pending_changes:
        return None
    return CopyInstance(identifier, instance.host, instance.port)


def describe_backup(snapshot: Snapshot) -> BackupSnapshot:
    """The part of a snapshot that a report shows."""
    if snapshot.created is None:
        raise SnapshotNotFound(f"The snapshot {snapshot.identifier} has no time.")
    return BackupSnapshot(snapshot.identifier, snapshot.created)


def delete_copy(rds: RdsClient, identifier: str) -> bool:
    """Begin to delete an instance of a proof, and return whether there was one to delete. Raises InstanceBusy."""
    instance = rds.look_up_instance(identifier) if len(identifier) <= MAX_IDENTIFIER_CHARACTERS else None
    if instance is None or instance.status in _ENDING:
        return False
    try:
        rds.delete_instance(identifier)
    except InstanceNotFound:
        return False
    return True


def delete_leftovers(rds: RdsClient, identifiers: list[str]) -> list[str]:
    """Delete what earlier proofs left, and return the instances that still exist."""
    remaining = [identifier for identifier in identifiers if rds.look_up_instance(identifier)]
    for identifier in remaining:
        delete_copy(rds, identifier)
    return remaining
