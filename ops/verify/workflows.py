"""The workflows: a batch goes into quarantine and comes back; a replay plans and reports."""

import datetime
import gzip
import json
import secrets
from typing import Any

from ops.aws import Stack
from ops.batches import (
    QUARANTINE_PREFIX,
    delete_batch,
    get_batch_bucket,
    list_objects,
    remove_from_quarantine,
)
from ops.output import format_batches
from ops.times import format_time
from ops.verify.check import Check, CheckFailed
from ops.verify.subject import Subject
from ops.workflows import Execution, describe_execution, describe_failure, list_executions, start_execution

# A load retries for minutes only while the database is unavailable.
WORKFLOW_SECONDS = 300.0
# How many loads, the latest first, are read to find that of the verification's batch.
MAX_INSPECTED_EXECUTIONS = 20
REPLAY_WINDOW = datetime.timedelta(hours=1)


def run_quarantine(subject: Subject) -> str:
    """Put a batch that cannot be read, wait for its copy in quarantine, replace it by a whole one, and load that."""
    stack, s3, bucket = subject.stack, subject.stack.client("s3"), get_batch_bucket(subject.stack)
    now = datetime.datetime.now(datetime.UTC)
    key = f"batches/{now:%Y/%m/%d/%H}/verify-{secrets.token_hex(8)}.jsonl.gz"
    subject.clean_up_with(lambda: delete_batch(stack, key))
    s3.put_object(Bucket=bucket, Key=key, Body=b"not GZIP: put by sluice verify")
    subject.wait_until(
        lambda: any(True for _ in list_objects(stack, f"{QUARANTINE_PREFIX}{key}")),
        WORKFLOW_SECONDS,
        lambda: CheckFailed(
            f"A batch that cannot be read is not in quarantine after {WORKFLOW_SECONDS:.0f} s.",
            "The rule BatchDelivered must start load_batch: see `sluice executions --workflow load_batch`.",
        ),
    )
    whole = s3.put_object(Bucket=bucket, Key=key, Body=gzip.compress(b""))["ETag"].strip('"')
    execution = subject.wait_until(
        lambda: _find_load(stack, key, whole),
        WORKFLOW_SECONDS,
        lambda: CheckFailed(
            f"No load of the whole copy of a quarantined batch has ended after {WORKFLOW_SECONDS:.0f} s.",
            "The rule BatchDelivered must start load_batch: see `sluice executions --workflow load_batch`.",
        ),
    )
    if execution.status != "SUCCEEDED":
        raise CheckFailed(
            f"The whole copy of a quarantined batch was not loaded: {describe_failure(execution).rstrip('.')}.",
            "See docs/how-to/unreadable-batches.md.",
        )
    remove_from_quarantine(stack, key)
    return f"quarantined, then {execution.output['status'].replace('_', ' ')}"


def _find_load(stack: Stack, key: str, etag: str) -> Execution | None:
    """The execution that has loaded an object, whatever its result; None while there is none."""
    for execution in list_executions(stack, "load_batch", limit=MAX_INSPECTED_EXECUTIONS):
        if execution.status == "RUNNING":
            continue
        described = describe_execution(stack, execution.arn)
        batch = described.input.get("detail", {}).get("object", {})
        if (batch.get("key"), batch.get("etag")) == (key, etag):
            return described
    return None


def run_replay(subject: Subject) -> str:
    """A dry run of a replay of the last hour ends as planned, and its report is in the bucket."""
    stack = subject.stack
    begins = format_time(datetime.datetime.now(datetime.UTC) - REPLAY_WINDOW)
    request: dict[str, Any] = {
        "from": begins, "to": None, "collections": [], "source": "batches", "mode": "missing", "dry_run": True
    }  # fmt: skip
    execution = wait_for_end(subject, start_execution(stack, "replay", request))
    if execution.status != "SUCCEEDED" or execution.output["status"] != "planned":
        raise CheckFailed(
            f"The dry run of a replay did not end as planned: {describe_failure(execution).rstrip('.')}.",
            "See `sluice status`, and the logs of PlanFunction and ReportFunction.",
        )
    place = execution.output["report"]
    body = stack.client("s3").get_object(Bucket=place["bucket"], Key=place["key"])["Body"].read()
    planned = json.loads(body)["planned"]
    if planned != execution.output["planned"]:
        raise CheckFailed("The report of a replay differs from its result.", "See the log of ReportFunction.")
    return f"{format_batches(execution.output['listed'])} of the last hour listed, {planned} to load"


def wait_for_end(subject: Subject, arn: str) -> Execution:
    """Wait until an execution ends. Raises CheckFailed when it takes too long."""
    return subject.wait_until(
        lambda: execution if (execution := describe_execution(subject.stack, arn)).status != "RUNNING" else None,
        WORKFLOW_SECONDS,
        lambda: CheckFailed(
            f"{arn.rsplit(':', 1)[-1]} has not ended after {WORKFLOW_SECONDS:.0f} s.", "See `sluice executions`."
        ),
    )


CHECKS = [
    Check("quarantine", "a batch that cannot be read goes into quarantine, and a whole copy is loaded", run_quarantine),
    Check("replay", "a replay plans and reports", run_replay),
]
