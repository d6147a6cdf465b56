"""The result of a rebuild: its report, and the text of its alert."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

SAMPLE_SIZE = 20


_SUMS = ("listed", "already_loaded", "quarantined")


_COUNTS = ("loaded", "applied", "stale", "rejected")


Output = Mapping[str, Any]


def build_rebuild_report(
    request: Any, filled: Output, caught: Output, last: Output, ledger: Mapping[str, int]
) -> dict[str, Any]:
    """The rebuild's output: a replay's, of all that it loaded, and of it what came `later`, after the swap.

    `filled` made the tables, `caught` added what that had left or what had come meanwhile, the new `ledger` has the
    sums of all batches. Of the archive's objects no ledger tells what is missing; of batches, `last` does.
    """
    archived = filled["request"]["source"] == "archive"
    words = [filled, caught, last] if archived else [caught, last]
    counts = {name: ledger[name] + (filled[name] if archived else 0) for name in _COUNTS}
    sums = {name: filled[name] + caught[name] for name in _SUMS}
    failed = sum(one["failed"] for one in (words[:-1]))
    return {
        "status": "complete" if all(one["status"] == "complete" for one in words) else "incomplete",
        "request": request,
        **sums,
        **counts,
        "listed": sums["listed"] if archived else caught["listed"],
        # Of all that was listed: what the last round planned is only what the rounds before had left.
        "bytes": caught["listed_bytes"] + (filled["listed_bytes"] if archived else 0),
        "planned": counts["loaded"] + sums["quarantined"] + failed,
        "failed": failed,
        "oldest": min(filter(None, (filled["oldest"], caught["oldest"])), default=None),
        "remaining": last["remaining"],
        "remaining_sample": last["remaining_sample"],
        "failures": _failures(words),
        "stopped": any(one["stopped"] for one in words),
        "after_swap": {name: last[name] for name in ("planned", "loaded", "applied", "failed")},
    }


def _failures(outputs: Sequence[Output]) -> list[Any]:
    found = {(one["key"], one["error"]): one for output in outputs for one in output["failures"]}
    return list(found.values())[:SAMPLE_SIZE]


# Their sentences are our own and quote no data; of any other error an alert says the class.
_QUOTED_ERRORS = {"RebuildRefused", "MigrationFailed", "MigrationRefused"}


class _Cause(msgspec.Struct):
    message: str = msgspec.field(name="errorMessage")


def describe_outcome(output: Mapping[str, Any]) -> str:
    """What a rebuild made, kept and left out, by its output."""
    tables = ", ".join(f"{name} {found['rows']} rows" for name, found in sorted(output["tables"].items()))
    batches = (
        f"{output['loaded']} batches are loaded, {output['applied']} writes applied, {output['stale']} stale, "
        f"{output['rejected']} rejected; {output['failed']} could not be loaded, {output['quarantined']} are in "
        f"quarantine, and {output['remaining']} remain."
    )
    kept = f"The old tables are kept: {', '.join(output['retained'])}."
    told = [f"The tables were made anew and are in use: {tables}.", batches, kept]
    if output["excluded"]:
        told.append(f"Left out is what these exclude: {', '.join(output['excluded'])}.")
    if not output["exclusions_stored"]:
        told.append("What is left out could not be written down in S3: until the next rebuild only the database knows.")
    return " ".join(told)


def describe_failure(error: Mapping[str, Any]) -> str:
    """What ended a rebuild, by the `Error` and `Cause` that Step Functions gave: without its data."""
    name = str(error.get("Error", "an unknown error"))
    try:
        said = msgspec.json.decode(str(error.get("Cause", "")), type=_Cause).message if name in _QUOTED_ERRORS else ""
    except msgspec.MsgspecError:
        said = ""
    return f"{name}: {said}".rstrip(": .")
