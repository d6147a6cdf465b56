"""Count the results of a Map Run from the files of Step Functions, and write the report of a replay."""

from typing import Any, Literal

import msgspec

from sluice.aws.s3 import Bucket
from sluice.model.batch_keys import ABOVE_ALL_KEYS
from sluice.replay.replay_plan import SAMPLE_SIZE, LoadFailure, ReplayPlan


class _Child(msgspec.Struct, rename="pascal"):
    """A child execution in a results file. `input` and `output` are JSON texts."""

    status: str
    input: str
    output: str = ""
    error: str = "Unknown"


class _Input(msgspec.Struct):
    key: str


class _Outcome(msgspec.Struct):
    """The outcome of one child's load."""

    status: Literal["loaded", "already_loaded", "quarantined", "failed"]
    applied: int = 0
    stale: int = 0
    rejected: int = 0
    error: str = "Unknown"


_children_decoder = msgspec.json.Decoder(list[_Child])


def tally_results(plan: ReplayPlan, bucket: Bucket) -> ReplayPlan:
    """Add the results of the current part to the plan. Children that a stopped Map Run did not start are not counted.

    Raises botocore's errors.
    """
    for page in bucket.list_objects(f"{plan.results}/", "", f"{plan.results}/{ABOVE_ALL_KEYS}"):
        for file in page:
            if file.key.rsplit("/", 1)[-1].startswith(("SUCCEEDED_", "FAILED_")):
                content = bucket.read_object(file.key).content
                for child in _children_decoder.decode(content):
                    _count_child(plan, child)
    return plan


def _count_child(plan: ReplayPlan, child: _Child) -> None:
    outcome = _read_outcome(child)
    count = plan.count
    setattr(count, outcome.status, getattr(count, outcome.status) + 1)
    count.applied += outcome.applied
    count.stale += outcome.stale
    count.rejected += outcome.rejected
    if outcome.status == "failed" and len(plan.failures) < SAMPLE_SIZE:
        key = msgspec.json.decode(child.input, type=_Input).key
        plan.failures.append(LoadFailure(key, outcome.error))


def _read_outcome(child: _Child) -> _Outcome:
    if child.status != "SUCCEEDED":
        return _Outcome("failed", error=child.error)
    return msgspec.json.decode(child.output, type=_Outcome)


def write_replay_report(plan: ReplayPlan, bucket: Bucket, now_seconds: float) -> dict[str, Any]:
    """Build the replay's output, and write a copy into its folder. Raises botocore's errors."""
    key = f"{plan.folder}/report.json"
    is_complete = not (plan.stopped or plan.count.failed or plan.remaining.objects)
    report = {
        "status": "planned" if plan.request.dry_run else "complete" if is_complete else "incomplete",
        "request": plan.request,
        "listed": plan.listed,
        "listed_bytes": plan.listed_bytes,
        "planned": plan.planned.objects,
        "bytes": plan.planned.bytes,
        "oldest": plan.planned.oldest,
        **msgspec.to_builtins(plan.count),
        "remaining": plan.remaining.objects,
        "remaining_sample": plan.remaining.sample,
        "remaining_digest": plan.remaining.digest,
        "failures": plan.failures,
        "stopped": plan.stopped,
        "synced_exclusions": plan.synced_exclusions.names,
        "advice": _describe_advice(plan.synced_exclusions.names),
        "seconds": round(now_seconds - plan.started_at.timestamp(), 1),
        "report": {"bucket": bucket.name, "key": key},
    }
    output: dict[str, Any] = msgspec.to_builtins(report)
    bucket.write_object(key, msgspec.json.encode(output))
    return output


def _describe_advice(rebuilds: list[str]) -> str:
    """A sentence for the alert when the operator has to act; otherwise empty."""
    if not rebuilds:
        return ""
    return (
        f"The database was restored from a snapshot that is older than the exclusions of {', '.join(rebuilds)}. It has "
        "the exclusions again, but may still contain excluded writes until the next `sluice rebuild`."
    )
