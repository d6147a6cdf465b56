"""The steps of a restore that change instances. Each looks at the instances first, does what is still missing, and
raises InstanceBusy until RDS has done it. So a step can be repeated at any time, also by an execution that continues.

An instance that a restore made has a tag with the restore's stamp, so it is recognized under any name.
"""

from collections.abc import Callable

from sluice.aws.secrets import Credentials
from sluice.errors import InstanceBusy, InstanceExists, InstanceFailed
from sluice.restore.instance_settings import build_changes, build_replica_settings, build_restore_settings
from sluice.restore.instances import FAILED, Instance, RdsClient, format_tags
from sluice.restore.restore_plan import STAMP_TAG, ReplicaNames, RestorePlan, read_stamp

REPLICA_TAG = "sluice:replica"


class SwitchOver:
    """The steps of one restore, by its plan. Each raises InstanceBusy, InstanceFailed and the errors of RdsClient."""

    def __init__(self, rds: RdsClient, plan: RestorePlan) -> None:
        self._rds = rds
        self._plan = plan

    def prepare_primary(self) -> str:
        """Restore the new primary, or promote it, and return its identifier when it is available."""
        instance = self._find_new_primary()
        if instance is None:
            if self._plan.kind == "promote":
                self._mark_candidate()
            else:
                self._begin_restore()
            raise InstanceBusy(f"{self._plan.candidate} is being created.")
        _require_available(instance)
        if self._plan.kind == "promote" and instance.source_identifier:
            lost = self._describe_settings_source()
            days = int((lost.details if lost else instance.details).get("BackupRetentionPeriod") or 0)
            self._rds.promote_replica(instance.identifier, max(days, 1))
            raise InstanceBusy(f"{instance.identifier} is being promoted.")
        return instance.identifier

    def configure_primary(self) -> list[str]:
        """Begin to give the new primary the settings that a restore does not take; return their names."""
        instance, source = self._require_new_primary(), self._describe_settings_source()
        changes = build_changes(source.details, instance.details) if source else {}
        if changes:
            self._rds.modify_instance(instance.identifier, changes)
        return sorted(changes)

    def await_primary(self) -> str:
        """Wait until the new primary is available without pending changes. Reboot it if its parameters need it."""
        instance = self._require_new_primary()
        if instance.parameter_status == "pending-reboot":
            self._rds.reboot_instance(instance.identifier)
            raise InstanceBusy(f"{instance.identifier} reboots, to put its parameters in force.")
        if instance.pending_changes:
            raise InstanceBusy(f"{instance.identifier} has pending changes: {', '.join(instance.pending_changes)}.")
        return instance.identifier

    def put_lost_aside(self) -> str:
        """Rename the lost primary, and return its new identifier; empty if there was none."""
        instance = self._rds.look_up_instance(self._plan.primary)
        if instance is None or read_stamp(self._rds, instance) == self._plan.stamp:
            return self._plan.lost if self._plan.has_lost_instance else ""
        self._rename_instance(instance, self._plan.lost)
        raise InstanceBusy(f"{self._plan.primary} is being renamed.")

    def take_identifier(self) -> str:
        """Rename the new primary to the primary's identifier, and return its host."""
        instance = self._require_new_primary()
        if instance.identifier != self._plan.primary:
            self._rename_instance(instance, self._plan.primary)
            raise InstanceBusy(f"{instance.identifier} is being renamed.")
        return instance.host

    def set_password(self, read_admin: Callable[[], Credentials]) -> bool:
        """Begin to give the admin the password of its secret. Return whether the secret's user is the admin."""
        return self._rds.set_admin_password(self._require_new_primary(), read_admin())

    def replace_replica(self, replica: ReplicaNames) -> str:
        """Rename the old replica, create the new one with its identifier, and return that when it is available."""
        instance = self._rds.look_up_instance(replica.identifier)
        if instance and self._is_new_replica(instance):
            _require_available(instance)
            return instance.identifier
        if instance:
            self._rename_instance(instance, replica.old)
            raise InstanceBusy(f"{replica.identifier} is being renamed.")
        primary, old = self._require_new_primary(), self._rds.look_up_instance(replica.old)
        settings = build_replica_settings((old or primary).details)
        tags = self._rds.read_tags((old or primary).arn) | {REPLICA_TAG: self._plan.stamp}
        tags.pop(STAMP_TAG, None)
        self._rds.create_replica(primary.identifier, replica.identifier, {**settings, "Tags": format_tags(tags)})
        raise InstanceBusy(f"{replica.identifier} is being created.")

    def list_leftovers(self) -> list[Instance]:
        """Return the instances that this restore has put aside."""
        names = [self._plan.lost, *(replica.old for replica in self._plan.replicas)]
        return [instance for name in names if (instance := self._rds.look_up_instance(name))]

    def delete_old_replicas(self) -> list[str]:
        """Begin to delete the replicas that this restore has put aside, and return their identifiers."""
        old_names = {replica.old for replica in self._plan.replicas}
        olds = [instance for instance in self.list_leftovers() if instance.identifier in old_names]
        for instance in olds:
            if instance.status != "deleting":
                self._rds.delete_instance(instance.identifier)
        return [instance.identifier for instance in olds]

    def _find_new_primary(self) -> Instance | None:
        for identifier in (self._plan.primary, self._plan.candidate):
            instance = self._rds.look_up_instance(identifier)
            if instance and read_stamp(self._rds, instance) == self._plan.stamp:
                return instance
        return None

    def _require_new_primary(self) -> Instance:
        """The new primary, which every step after the first expects. While it is renamed, it may have no name."""
        instance = self._find_new_primary()
        if instance is None:
            raise InstanceBusy(f"RDS shows neither {self._plan.candidate} nor the new {self._plan.primary} yet.")
        _require_available(instance)
        return instance

    def _mark_candidate(self) -> None:
        replica = self._rds.describe_instance(self._plan.candidate)
        self._rds.add_tags(replica.arn, {STAMP_TAG: self._plan.stamp})

    def _begin_restore(self) -> None:
        plan, source = self._plan, self._describe_settings_source()
        settings = build_restore_settings(source.details) if source else {}
        tags = (self._rds.read_tags(source.arn) if source else {}) | {STAMP_TAG: plan.stamp}
        tags.pop(REPLICA_TAG, None)
        settings["Tags"] = format_tags(tags)
        if plan.kind == "snapshot":
            self._rds.restore_snapshot(plan.source["snapshot"], plan.candidate, settings)
            return
        if source and source.details.get("MaxAllocatedStorage"):
            settings["MaxAllocatedStorage"] = source.details["MaxAllocatedStorage"]
        self._rds.restore_to_moment(dict(plan.source), plan.candidate, plan.parse_moment(), settings)

    def _describe_settings_source(self) -> Instance | None:
        """The instance whose settings count: the lost one, whatever its name is now."""
        names = (self._plan.lost, self._plan.settings_of) if self._plan.has_lost_instance else (self._plan.settings_of,)
        return next((instance for name in names if (instance := self._rds.look_up_instance(name))), None)

    def _is_new_replica(self, instance: Instance) -> bool:
        return self._rds.read_tags(instance.arn).get(REPLICA_TAG) == self._plan.stamp

    def _rename_instance(self, instance: Instance, name: str) -> None:
        if instance.status != FAILED:
            _require_available(instance)
        try:
            self._rds.rename_instance(instance.identifier, name)
        except InstanceBusy:
            if instance.status != FAILED:
                raise
            raise InstanceFailed(
                f"RDS does not rename {instance.identifier}, which has failed: delete it, keep its automated backups "
                "(--no-delete-automated-backups), and continue."
            ) from None
        except InstanceExists:
            # RDS is about to end a rename that an earlier attempt began.
            raise InstanceBusy(f"{instance.identifier} is being renamed.") from None


def _require_available(instance: Instance) -> None:
    if instance.is_available:
        return
    name, status = instance.identifier, instance.status
    if instance.is_stuck:
        raise InstanceFailed(f"RDS reports the status {status} for {name}, which does not end by itself.")
    raise InstanceBusy(f"{name} has the status {status}.")
