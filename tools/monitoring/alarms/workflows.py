"""Alarms on what loads and recovers: events, workflows, rejected writes, migrations, passwords."""

from tools.monitoring import metrics, runbooks
from tools.monitoring.model import HOUR_SECONDS, Alarm

# None for ExecutionsTimedOut: it counts only the TimeoutSeconds of a whole workflow, which these have not.
ALARMS = (
    Alarm(
        name="DeadLettersAlarm",
        says=(
            "Events that could not start a load or a recovery are in the dead-letter queue. Their batches are not "
            "loaded."
        ),
        runbook=runbooks.EVENTS_STARTED_NOTHING,
        watches=metrics.QUEUED_EVENTS.of("EventDeadLetters", "Maximum"),
    ),
    Alarm(
        name="LoadsFailedAlarm",
        says="A batch was parked or quarantined. The load_batch execution names the batch.",
        runbook=runbooks.BATCHES_PARKED,
        watches=metrics.EXECUTIONS_FAILED.of("LoadBatch", "Sum"),
    ),
    Alarm(
        name="RecoverFailedAlarm",
        says="A recovery failed or left batches unloaded. The recover execution names the reason.",
        runbook=runbooks.BATCHES_PARKED,
        # One alarm while scheduled recoveries fail, instead of one for each; it ends one day after the last failure.
        watches=metrics.EXECUTIONS_FAILED.of("Recover", "Sum", HOUR_SECONDS),
        periods=24,
        needed=1,
    ),
    *(
        Alarm(
            name=f"{workflow}FailedAlarm",
            says=(
                f"An execution of {workflow} failed, and what it should have loaded is not loaded. `sluice executions` "
                "shows the reason; correct it and start the workflow again."
            ),
            runbook=runbooks.WORKFLOW_FAILED,
            watches=metrics.EXECUTIONS_FAILED.of(workflow, "Sum"),
        )
        for workflow in ("Replay", "Rebuild")
    ),
    *(
        Alarm(
            name=f"{workflow}AbortedAlarm",
            says=(
                f"Somebody stopped an execution of {workflow}, so it neither finished nor reported. The scheduled "
                "recovery loads batches that were left; start a replay or a rebuild again."
            ),
            runbook=runbooks.WORKFLOW_FAILED,
            watches=metrics.EXECUTIONS_ABORTED.of(workflow, "Sum"),
        )
        for workflow in ("LoadBatch", "Replay", "Recover", "Rebuild")
    ),
    Alarm(
        name="RestoreFailedAlarm",
        says=(
            "A restore failed or was refused. No accepted write is lost. `sluice executions` shows the step and the "
            "reason; the alert has the command that continues the restore."
        ),
        runbook=runbooks.RESTORE_FAILED,
        watches=metrics.EXECUTIONS_FAILED.of("Restore", "Sum"),
        condition="Restorable",
    ),
    Alarm(
        name="RestoreAbortedAlarm",
        says=(
            "Somebody stopped a restore, so the database may be between two instances. No accepted write is lost. "
            "Continue it with its stamp, which its instances have in their names."
        ),
        runbook=runbooks.RESTORE_FAILED,
        watches=metrics.EXECUTIONS_ABORTED.of("Restore", "Sum"),
        condition="Restorable",
    ),
    Alarm(
        name="ProveBackupFailedAlarm",
        says=(
            "A backup is not proven: it differs from the live database, or its proof failed. The database itself is as "
            "it was. The message of the proof has the differences; its report has examples."
        ),
        runbook=runbooks.BACKUP_NOT_PROVEN,
        watches=metrics.EXECUTIONS_FAILED.of("ProveBackup", "Sum"),
        condition="BackupsProven",
    ),
    Alarm(
        name="ProveBackupAbortedAlarm",
        says=(
            "Somebody stopped the proof of a backup. Its temporary instance costs until the next proof deletes it. "
            "Start `sluice prove-backup`."
        ),
        runbook=runbooks.BACKUP_NOT_PROVEN,
        watches=metrics.EXECUTIONS_ABORTED.of("ProveBackup", "Sum"),
        condition="BackupsProven",
    ),
    # A value every 6 hours: a shorter period would have none, and the alarm would report again with each value.
    Alarm(
        name="BackupProofAgeAlarm",
        says=(
            "No backup was proven for 8 days. A proof did not start, does not end, or could not compare. `sluice "
            "executions` shows the last ones; start `sluice prove-backup`."
        ),
        runbook=runbooks.BACKUP_NOT_PROVEN,
        watches=metrics.BACKUP_PROOF_AGE.of_stack("Maximum", 24 * HOUR_SECONDS),
        threshold=8 * 24 * HOUR_SECONDS,
        missing="unknown",
        reports_end=True,
        condition="BackupsProven",
    ),
    Alarm(
        name="RejectedWritesAlarm",
        says=(
            "The database rejected accepted writes. They are stored with their reason, and their receipts say so. "
            "`sluice rejected-writes list` shows them; retry or drop them."
        ),
        runbook=runbooks.WRITES_REJECTED,
        watches=metrics.WRITES_REJECTED.of_stack("Sum", 300),
    ),
    Alarm(
        name="MigrationUndoneAlarm",
        says=(
            "A deploy was rolled back without a migration. Loads and reads use the tables as they are. The log of "
            "MigrateFunction names the reason and the command."
        ),
        runbook=runbooks.DEPLOYED_WITHOUT_DATABASE,
        watches=metrics.MIGRATIONS_UNDONE.of_stack("Sum"),
    ),
    Alarm(
        name="RotationFailedAlarm",
        says=(
            "The rotation of a database password failed. The current password stays valid, and Secrets Manager retries."
        ),
        runbook=runbooks.ROTATION_FAILED,
        watches=metrics.FUNCTION_ERRORS.of("RotateFunction", "Sum", 300),
    ),
)
