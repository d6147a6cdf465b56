"""What a rebuild came to, out of what its replays came to."""

from collections.abc import Mapping, Sequence
from typing import Any

SAMPLE = 20
_SUMS = ("listed", "already_loaded", "quarantined")
_COUNTS = ("loaded", "applied", "stale", "rejected")

Output = Mapping[str, Any]


def report(request: Any, filled: Output, caught: Output, last: Output, ledger: Mapping[str, int]) -> dict[str, Any]:
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
        "later": {name: last[name] for name in ("planned", "loaded", "applied", "failed")},
    }


def _failures(outputs: Sequence[Output]) -> list[Any]:
    found = {(one["key"], one["error"]): one for output in outputs for one in output["failures"]}
    return list(found.values())[:SAMPLE]
