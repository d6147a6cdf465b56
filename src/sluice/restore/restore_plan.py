"""Plan a restore: choose the source, check everything that RDS would refuse later, and name the instances.

Every refusal is one sentence for the operator. Nothing is changed by then.
"""

import datetime
from typing import Any

import msgspec

from sluice.errors import InstanceNotFound, RestoreRefused, SnapshotNotFound
from sluice.model.workflow_input import format_time
from sluice.restore.instances import AVAILABLE, FAILED, MAX_IDENTIFIER_CHARACTERS, AutomatedBackup, Instance, RdsClient
from sluice.restore.restore_request import RestoreRequest

STAMP_TAG = "sluice:restore"


class ReplicaNames(msgspec.Struct, frozen=True):
    """A replica: its name in reports, its identifier, and the identifier that its old instance gets."""

    name: str
    identifier: str
    old: str


class RestorePlan(msgspec.Struct, kw_only=True, frozen=True):
    """What a restore does. `kind` is `moment`, `snapshot` or `promote`.

    `candidate` is the identifier under which the new primary appears first, `lost` the one that the present primary
    gets. `settings_of` is the identifier of the instance whose settings the new primary gets.
    """

    kind: str
    stamp: str
    primary: str
    candidate: str
    lost: str
    source: dict[str, str]
    moment: str | None
    has_lost_instance: bool
    settings_of: str
    replicas: list[ReplicaNames]
    notices: list[str]
    summary: str

    def parse_moment(self) -> datetime.datetime | None:
        """Return the moment to restore; None is the latest one."""
        return datetime.datetime.fromisoformat(self.moment) if self.moment else None


class Planner:
    """Plans restores of one stack. `replicas` are the identifiers of its replicas, in their order."""

    def __init__(self, rds: RdsClient, primary: str, replicas: tuple[str, ...]) -> None:
        self._rds = rds
        self._primary = primary
        self._replicas = replicas

    def plan_restore(self, request: RestoreRequest, stamp: str) -> RestorePlan:
        """Return the plan of a request. Raises RestoreRefused with a sentence, and the errors of RdsClient."""
        lost_name = self._build_name(self._primary, "lost", stamp)
        names = self._name_replicas(stamp)
        instance = self._find_lost_instance(stamp, [lost_name, *(replica.old for replica in names)])
        if instance:
            self._check_changeable(instance, lost_name)
        restored_name = self._build_name(self._primary, "restored", stamp)
        if self._has_new_primary(stamp):
            kind, source, moment, text = self._repeat_source(request, names)
        else:
            kind, source, moment, text = self._choose_source(request, names)
            if request.stamp:
                text = f"No instance of the restore {stamp} exists, so it begins from the start. {text}"
        candidate = source["instance"] if kind == "promote" else restored_name
        settings_of, notices = self._choose_settings(instance, candidate)
        if kind == "promote" and len(names) == 1:
            notices.append("It is the only replica, so private reads answer 503 until a new replica follows.")
        which = "lost" if instance and instance.identifier == lost_name else "present"
        end = f"{lost_name} keeps the {which} instance" if instance else "there is no instance to keep"
        return RestorePlan(
            kind=kind,
            stamp=stamp,
            primary=self._primary,
            candidate=candidate,
            lost=lost_name,
            source=source,
            moment=moment,
            has_lost_instance=instance is not None,
            settings_of=settings_of,
            replicas=names,
            notices=notices,
            summary=f"{text} becomes {self._primary}; {end}.",
        )

    def _find_lost_instance(self, stamp: str, aside_names: list[str]) -> Instance | None:
        """The instance to put aside: the one that has the primary's name, unless this restore made it.

        `aside_names` are the names of what this restore puts aside, that of the lost primary first.
        """
        instance = self._rds.look_up_instance(self._primary)
        if instance is None or read_stamp(self._rds, instance) == stamp:
            return self._rds.look_up_instance(aside_names[0])
        if existing := next((name for name in aside_names if self._rds.look_up_instance(name)), None):
            raise RestoreRefused(
                f"The restore {stamp} made {existing}, but not the present {self._primary}: another one followed. "
                "Start a new restore, without --continue."
            )
        return instance

    def _check_changeable(self, instance: Instance, lost_name: str) -> None:
        status, name = instance.status, instance.identifier
        if instance.details.get("MasterUserSecret"):
            raise RestoreRefused(f"RDS manages the password of {name} itself, which a restore of this stack cannot do.")
        # AWS does not say whether it renames a failed instance. It is tried, because nobody can start one.
        if instance.is_available or status == FAILED or name == lost_name:
            return
        if instance.is_stuck:
            raise RestoreRefused(
                f"{name} has the status {status}, in which RDS does not rename it: make it available, or delete it and "
                "keep its automated backups (--no-delete-automated-backups), and start again."
            )
        raise RestoreRefused(
            f"RDS is changing {name} (status {status}) and does not rename it now: start again when it is available."
        )

    def _has_new_primary(self, stamp: str) -> bool:
        """Whether an earlier execution of this restore has made the new primary, so that its source does not matter."""
        candidates = (self._primary, f"{self._primary}-restored-{stamp}", *self._replicas)
        instances = [instance for name in candidates if (instance := self._rds.look_up_instance(name))]
        return any(read_stamp(self._rds, instance) == stamp for instance in instances)

    def _repeat_source(
        self, request: RestoreRequest, names: list[ReplicaNames]
    ) -> tuple[str, dict[str, str], str | None, str]:
        text = f"What the earlier execution made ({request.promote or request.snapshot or request.to or 'latest'})"
        if request.promote:
            identifiers = {replica.name: replica.identifier for replica in names}
            return "promote", {"instance": identifiers.get(request.promote, request.promote)}, None, text
        kind = "snapshot" if request.snapshot else "moment"
        return kind, {}, None, text

    def _choose_source(
        self, request: RestoreRequest, names: list[ReplicaNames]
    ) -> tuple[str, dict[str, str], str | None, str]:
        if request.promote:
            identifier = self._find_replica(request.promote, names)
            return "promote", {"instance": identifier}, None, f"The replica {identifier}"
        if request.snapshot:
            created = self._check_snapshot(request.snapshot)
            return "snapshot", {"snapshot": request.snapshot}, created, f"Snapshot {request.snapshot} of {created}"
        backup, moment = self._find_backup(request.to)
        source = {"SourceDBInstanceIdentifier": self._primary}
        if backup.status != "active":
            source = {"SourceDbiResourceId": backup.resource_id}
        if request.to:
            return "moment", source, moment, f"The state of {moment}"
        return "moment", source, None, f"The latest restorable state (now {moment})"

    def _find_replica(self, name: str, names: list[ReplicaNames]) -> str:
        identifiers = {replica.name: replica.identifier for replica in names}
        if name not in identifiers:
            raise RestoreRefused(f"There is no {name}; the replicas are: {', '.join(identifiers) or 'none'}.")
        instance = self._rds.look_up_instance(identifiers[name])
        if instance is None:
            raise RestoreRefused(f"{name} cannot be promoted: RDS has no instance {identifiers[name]}.")
        if not instance.is_available:
            raise RestoreRefused(
                f"{name} cannot be promoted now: {identifiers[name]} has the status {instance.status}. "
                "Choose another source, or start again when it is available."
            )
        return identifiers[name]

    def _check_snapshot(self, name: str) -> str:
        try:
            snapshot = self._rds.describe_snapshot(name)
        except (SnapshotNotFound, InstanceNotFound):
            newest = [snapshot.identifier for snapshot in self._rds.describe_snapshots(self._primary)[:3]]
            raise RestoreRefused(
                f"There is no snapshot {name}; the newest of {self._primary} are: {', '.join(newest) or 'none'}."
            ) from None
        if snapshot.status != AVAILABLE:
            raise RestoreRefused(f"The snapshot {name} has the status {snapshot.status}: start again when it is done.")
        owner = snapshot.instance_identifier
        if owner != self._primary and not owner.startswith(f"{self._primary}-"):
            raise RestoreRefused(f"The snapshot {name} is of another instance, {owner}, and not of {self._primary}.")
        return format_time(snapshot.created) if snapshot.created else ""

    def _find_backup(self, moment: datetime.datetime | None) -> tuple[AutomatedBackup, str]:
        """The backup that has the moment (without one, the latest), and that moment as a text."""
        windows = [
            (backup, backup.earliest, backup.latest)
            for backup in self._rds.describe_backups(self._primary)
            if backup.earliest and backup.latest
        ]
        if not windows:
            raise RestoreRefused(
                f"{self._primary} has no automated backups: restore a snapshot, promote a replica, or rebuild from S3."
            )
        if moment is None:
            backup, _, latest = max(windows, key=lambda window: window[2])
            return backup, format_time(latest)
        for backup, earliest, latest in windows:
            if earliest <= moment <= latest:
                return backup, format_time(moment)
        bounds = " and ".join(f"{format_time(earliest)} to {format_time(latest)}" for _, earliest, latest in windows)
        raise RestoreRefused(
            f"{format_time(moment)} is outside the restorable window of {self._primary}, which is {bounds}."
        )

    def _choose_settings(self, instance: Instance | None, candidate: str) -> tuple[str, list[str]]:
        """The identifier of the instance whose settings the new primary gets, and what the operator should know."""
        if instance:
            return instance.identifier, []
        if self._rds.look_up_instance(self._primary):
            # This restore made it, and gave it its settings before it got its name. The lost one was deleted since.
            return self._primary, []
        for identifier in (*self._replicas, candidate):
            if self._rds.look_up_instance(identifier):
                notice = (
                    f"{self._primary} is gone, so the new primary gets the settings of {identifier}: "
                    "check Multi-AZ, storage limit and protection afterwards."
                )
                return identifier, [notice]
        raise RestoreRefused(
            f"{self._primary} and its replicas are gone, and with them their settings: restore by hand, as "
            "docs/how-to/restore-a-database.md describes."
        )

    def _name_replicas(self, stamp: str) -> list[ReplicaNames]:
        return [
            ReplicaNames(f"replica-{number}", identifier, self._build_name(identifier, "old", stamp))
            for number, identifier in enumerate(self._replicas, 1)
        ]

    def _build_name(self, identifier: str, word: str, stamp: str) -> str:
        name = f"{identifier}-{word}-{stamp}"
        if len(name) > MAX_IDENTIFIER_CHARACTERS:
            raise RestoreRefused(
                f"The identifier {identifier} is too long: {name} has more than RDS's {MAX_IDENTIFIER_CHARACTERS} "
                "characters. Restore by hand, as docs/how-to/restore-a-database.md describes."
            )
        return name


def read_stamp(rds: RdsClient, instance: Instance) -> str:
    """Return the stamp of the restore that made an instance, or an empty text."""
    return rds.read_tags(instance.arn).get(STAMP_TAG, "")


def parse_plan(value: Any) -> RestorePlan:
    """Parse a plan from the state of an execution."""
    return msgspec.convert(value, RestorePlan)
