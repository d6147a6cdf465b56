"""The backups: the newest snapshot was proven lately."""

from ops.errors import OperationError
from ops.times import format_duration
from ops.verify.check import Check, CheckFailed, NotApplicable
from ops.verify.subject import Subject
from ops.workflows import has_workflow

MAX_AGE_SECONDS = 8 * 86_400.0
HINT = "See docs/how-to/prove-a-backup.md, then start `sluice prove-backup --wait`."


def run_backup_proof(subject: Subject) -> str:
    """Read when a backup was proven last, and how the last proof ended."""
    if not has_workflow(subject.stack, "prove_backup"):
        raise NotApplicable("BackupProof is none: no backup is restored and compared.")
    try:
        answer = subject.stack.invoke("ProofInstance", {"step": "age"})
    except OperationError as error:
        raise CheckFailed(
            f"The last proof of a backup is unknown: {error}", "See the log of ProofInstanceFunction."
        ) from None
    last, age = answer["last"], format_duration(answer["seconds"])
    if last and last["outcome"] in {"different", "failed"}:
        raise CheckFailed(f"The last proof of a backup did not succeed: {last['summary'].rstrip('.')}.", HINT)
    if answer["seconds"] > MAX_AGE_SECONDS:
        raise CheckFailed(f"No backup was proven for {age}.", HINT)
    if not last:
        return f"no proof yet; proofs are switched on since {age}"
    return f"{last['outcome'].replace('_', ' ')}; a backup was proven {age} ago"


CHECKS = [Check("backup-proof", "the newest snapshot was restored and compared in the last 8 days", run_backup_proof)]
