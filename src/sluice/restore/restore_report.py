"""The report of a restore, and what to say about one that failed."""

import datetime
from typing import Any

from sluice.model.workflow_input import format_time
from sluice.restore.instances import Instance
from sluice.restore.restore_plan import RestorePlan

# What each step leaves in the state of the execution, in order, and what it does.
_STEPS = (
    ("plan", "planning the restore"),
    ("prepared", "making the new primary"),
    ("configured", "giving the new primary its settings"),
    ("settled", "waiting for the settings of the new primary"),
    ("put_aside", "renaming the lost primary"),
    ("switched", "giving the new primary its identifier"),
    ("password", "setting the password of the admin"),
    ("ready", "waiting for the password of the admin"),
    ("migrated", "migrating the new primary"),
    ("recovery", "replaying the missing batches"),
    ("replicas_replaced", "replacing the replicas"),
    ("deleted", "deleting the old replicas"),
    ("database", "checking the health of the new database"),
)


def describe_failed_step(state: dict[str, Any]) -> str:
    """Return what the execution was doing, by what its state lacks."""
    skipped = () if state["request"].get("delete_old_replicas") else ("deleted",)
    missing = (text for key, text in _STEPS if key not in state and key not in skipped)
    return next(missing, "reporting the restore")


def describe_failure(state: dict[str, Any], message: str) -> str:
    """Return the sentences of the alert: which step failed, why, that nothing is lost, and how to go on."""
    failed = f"The restore failed while {describe_failed_step(state)}: {message.rstrip('.')}."
    if "plan" not in state:
        return f"{failed} Nothing was changed. No accepted write is lost: the batches are in the bucket."
    options = _repeat_options(state["request"])
    return (
        f"{failed} No accepted write is lost: the batches are in the bucket, and the next recovery loads them. Correct "
        f"the cause and continue with `sluice restore{options} --continue {state['stamp']}`."
    )


def _repeat_options(request: dict[str, Any]) -> str:
    options = [f" --{name} {request[name]}" for name in ("to", "snapshot", "promote") if request.get(name)]
    return "".join([*options, " --delete-old-replicas" if request.get("delete_old_replicas") else ""])


def build_report(
    plan: RestorePlan, state: dict[str, Any], leftovers: list[Instance], now: datetime.datetime
) -> dict[str, Any]:
    """Return the report of a restore that reached its end, from the state of its execution."""
    health, recovery = state["database"]["health"], state["recovery"]["output"]
    began = datetime.datetime.fromisoformat(state["execution_began"])
    replicas = health.get("replicas", [])
    is_complete = bool(health["primary"]["accepts_writes"]) and all(replica["replicates"] for replica in replicas)
    report: dict[str, Any] = {
        "status": "complete" if is_complete else "needs_attention",
        "stamp": plan.stamp,
        "is_continued": bool(state["request"].get("stamp")),
        "began": format_time(datetime.datetime.fromisoformat(state["began"])),
        "kind": plan.kind,
        "primary": plan.primary,
        "restored": plan.summary,
        "notices": list(plan.notices),
        "replay": recovery["replay"],
        # Of the ledger: a recovery that RDS's events started may have loaded what the backup lacked.
        "loaded": health["loaded"],
        "database": health,
        # Of this execution: nobody wants to count the time until an operator continued.
        "seconds": round((now - began).total_seconds()),
        "leftovers": [_describe_leftover(instance) for instance in leftovers],
    }
    if state["password"]["is_set"] is False:
        report["notices"].append("The user of the admin's secret is not RDS's master user: its password is unchanged.")
    report["summary"] = _summarize(report)
    return report


def _summarize(report: dict[str, Any]) -> str:
    loaded, leftovers = report["loaded"], report["leftovers"]
    sentences = [
        report["restored"],
        "No batch is missing." if loaded is None else f"{loaded} batches were loaded since it began; none is missing.",
        report["database"]["summary"],
        _describe_duration(report),
        *report["notices"],
    ]
    if leftovers:
        names = ", ".join(f"{each['identifier']} ({each['class']}, {each['storage']} GiB)" for each in leftovers)
        sentences.append(f"These instances are not used any more and cost money until they are deleted: {names}.")
    return " ".join(sentence for sentence in sentences if sentence)


def _describe_duration(report: dict[str, Any]) -> str:
    if report["is_continued"]:
        return f"The restore began at {report['began']} and was continued; this part took {report['seconds']} s."
    return f"The restore took {report['seconds']} s."


def _describe_leftover(instance: Instance) -> dict[str, Any]:
    return {
        "identifier": instance.identifier,
        "status": instance.status,
        "class": instance.details.get("DBInstanceClass", ""),
        "storage": instance.details.get("AllocatedStorage", 0),
        "is_multi_az": bool(instance.details.get("MultiAZ")),
    }
