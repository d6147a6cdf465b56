"""The pages of docs/how-to that help with an alarm or a widget."""

import re
from pathlib import Path

from tools.docs.markdown import compute_anchor

HOW_TO = Path(__file__).resolve().parents[2] / "docs" / "how-to"

# A page, or a section of one.
REQUESTS_FAIL = "outages.md#requests-fail-with-5xx"
DATABASE_UNAVAILABLE = "outages.md#the-database-is-unavailable"
REPLICA_SKIPPED = "outages.md#a-replica-is-skipped"
REPLICA_LAGS = "outages.md#the-replica-lags"
RESTORE_FAILED = "restore-a-database.md#a-restore-failed"
BACKUP_NOT_PROVEN = "prove-a-backup.md#a-backup-is-not-proven"
READ_CACHE_UNAVAILABLE = "outages.md#the-read-cache-is-unavailable"
FUNCTION_FAILS = "capacity.md#a-function-fails"
FUNCTION_THROTTLED = "capacity.md#a-function-is-throttled"
STREAM_QUOTA_REACHED = "capacity.md#the-stream-reaches-its-quota"
REQUESTS_SLOW = "capacity.md#requests-are-slow"
DATABASE_TOO_SMALL = "capacity.md#the-database-is-too-small"
STORAGE_FULL = "capacity.md#the-storage-of-the-database-is-full"
WORKFLOW_FAILED = "capacity.md#a-workflow-failed-or-was-stopped"
BILL_GROWS = "capacity.md#the-bill-grows"
FIREHOSE_ERRORS = "firehose-errors.md#firehose-errors"
ARCHIVE_LAGS = "firehose-errors.md#the-archive-is-behind"
EVENTS_STARTED_NOTHING = "firehose-errors.md#events-that-started-nothing"
BATCHES_PARKED = "parked-batches.md"
BATCH_QUARANTINED = "unreadable-batches.md#a-batch-is-in-quarantine"
WRITES_REJECTED = "rejected-writes.md#writes-are-rejected"
DEPLOYED_WITHOUT_DATABASE = "deploy.md#deploy-while-the-database-is-unavailable"
ROTATION_FAILED = "rotate-passwords.md#a-rotation-failed"
WRITES_NOT_ACCEPTED = "service-levels.md#writes-are-not-accepted"
READS_NOT_ANSWERED = "service-levels.md#reads-are-not-answered"
READABLE_TOO_LATE = "service-levels.md#writes-are-readable-too-late"
CANARY_NOT_MEASURING = "service-levels.md#the-canary-does-not-measure"


def read_title(runbook: str) -> str:
    """The heading of a runbook: of its section, or of its page. Raises ValueError when there is no such heading."""
    page, _, section = runbook.partition("#")
    headings: list[str] = re.findall(r"^#+ (.*)$", (HOW_TO / page).read_text(), re.MULTILINE)
    for heading in headings:
        if not section or compute_anchor(heading) == section:
            return heading
    raise ValueError(f"docs/how-to/{page} has no section #{section}.")
