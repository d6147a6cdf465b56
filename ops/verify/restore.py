"""The restore workflow: it can describe the instances of the database, and there is a backup to restore."""

from ops.times import seconds_since
from ops.verify.check import Check, CheckFailed, NotApplicable
from ops.verify.subject import Subject
from ops.workflows import has_workflow

# RDS uploads its logs every 5 minutes, and takes a snapshot each day.
OLDEST_BACKUP_SECONDS = 2 * 24 * 3600


def run_restore(subject: Subject) -> str:
    """Describe the instances and the backups as the workflow does, and judge how old the latest backup is."""
    if not has_workflow(subject.stack, "restore"):
        raise NotApplicable("The stack knows no RDS instance: PrimaryInstance is empty.")
    described = subject.stack.invoke("Restore", {"step": "check"})
    if described["missing"]:
        raise CheckFailed(
            f"RDS has no instance {', '.join(described['missing'])}.",
            "Correct PrimaryInstance and ReplicaInstances, or restore: see docs/how-to/restore-a-database.md.",
        )
    latest = max(filter(None, (described["latest"], described["newest_snapshot"])), default="")
    if not latest:
        raise CheckFailed(
            f"{described['primary']} has no backup, so no restore is possible.",
            "Set its backup retention to at least one day: see docs/how-to/restore-a-database.md.",
        )
    if seconds_since(latest) > OLDEST_BACKUP_SECONDS:
        raise CheckFailed(
            f"The latest backup of {described['primary']} is of {latest}.",
            "See the events of the instance in RDS: its backups fail.",
        )
    return f"{described['primary']} can be restored to {latest}"


CHECKS = [Check("restore", "RDS has the instances of the database, and a backup", run_restore)]
