"""The report of a rebuild, and the texts of its alert."""

from collections.abc import Mapping, Sequence
from typing import Any

from sluice.errors import extract_message

SAMPLE_SIZE = 20
_SUMS = ("listed", "already_loaded", "quarantined")
_COUNTS = ("loaded", "applied", "stale", "rejected")
# These errors have our own sentences, which quote no data. Of any other error an alert has only the class.
_QUOTED_ERRORS = {"RebuildRefused", "MigrationFailed", "MigrationRefused"}

Output = Mapping[str, Any]


def build_rebuild_report(
    request: Any, fill: Output, catch_up: Output, last: Output, ledger: Mapping[str, int]
) -> dict[str, Any]:
    """Combine the outputs of the three replays to the output of the rebuild.

    `fill` filled the new tables, `catch_up` added what was left or arrived meanwhile, `last` ran after the swap.
    `ledger` has the sums of the new ledger. The ledger does not have the archive's objects; for batches, `last` shows
    what is missing.
    """
    archived = fill["request"]["source"] == "archive"
    replays = [fill, catch_up, last] if archived else [catch_up, last]
    counts = {name: ledger[name] + (fill[name] if archived else 0) for name in _COUNTS}
    sums = {name: fill[name] + catch_up[name] for name in _SUMS}
    failed = sum(replay["failed"] for replay in replays[:-1])
    return {
        "status": "complete" if all(replay["status"] == "complete" for replay in replays) else "incomplete",
        "request": request,
        **sums,
        **counts,
        "listed": sums["listed"] if archived else catch_up["listed"],
        # The bytes of all listed objects: the last round planned only what earlier rounds had left.
        "bytes": catch_up["listed_bytes"] + (fill["listed_bytes"] if archived else 0),
        "planned": counts["loaded"] + sums["quarantined"] + failed,
        "failed": failed,
        "oldest": min(filter(None, (fill["oldest"], catch_up["oldest"])), default=None),
        "remaining": last["remaining"],
        "remaining_sample": last["remaining_sample"],
        "failures": _collect_failures(replays),
        "stopped": any(replay["stopped"] for replay in replays),
        "after_swap": {name: last[name] for name in ("planned", "loaded", "applied", "failed")},
    }


def _collect_failures(outputs: Sequence[Output]) -> list[Any]:
    failures = {(failure["key"], failure["error"]): failure for output in outputs for failure in output["failures"]}
    return list(failures.values())[:SAMPLE_SIZE]


def describe_outcome(output: Mapping[str, Any]) -> str:
    """Describe a rebuild's output for an alert: the new tables, the batches, the retained tables and the exclusions."""
    tables = ", ".join(f"{name} {counts['rows']} rows" for name, counts in sorted(output["tables"].items()))
    batches = (
        f"{output['loaded']} batches are loaded, {output['applied']} writes applied, {output['stale']} stale, "
        f"{output['rejected']} rejected; {output['failed']} batches could not be loaded, "
        f"{output['quarantined']} are in quarantine, and {output['remaining']} remain."
    )
    retained = f"The old tables are retained: {', '.join(output['retained'])}."
    sentences = [f"The new tables are in use: {tables}.", batches, retained]
    if output["excluded"]:
        sentences.append(f"These exclusions apply: {', '.join(output['excluded'])}.")
    if not output["exclusions_stored"]:
        sentences.append("The exclusions could not be stored in S3: until the next rebuild only the database has them.")
    return " ".join(sentences)


def describe_failure(error: Mapping[str, Any]) -> str:
    """Describe why a rebuild failed, from the `Error` and `Cause` of Step Functions, without data."""
    name = str(error.get("Error", "an unknown error"))
    message = extract_message(str(error.get("Cause", ""))) if name in _QUOTED_ERRORS else ""
    return f"{name}: {message}".rstrip(": .")
