"""What a stack was found to be like."""

from typing import Any

from ops.moments import duration
from ops.printing import batches, many, pairs, size

# Objects that are only counted are counted so far.
COUNTED = 1_000


def report(found: dict[str, Any]) -> list[str]:
    """The lines for it, and a sentence for each thing that wants attention."""
    running = [f"{name} {one}" for name, names in found["running"].items() for one in names]
    rows = [
        ("stack", f"{found['stack']} in {found['region']}"),
        (
            "primary",
            "takes writes" if found["primary"]["takes_writes"] else f"takes no writes: {found['primary']['reason']}",
        ),
        ("replica", _replica(found)),
        ("loaded", _known(found["loaded"], "batch", "batches")),
        ("waiting", _waits(found["waiting"])),
        ("loading", batches(found["loading"])),
        ("parked", _parked(found)),
        ("quarantined", batches(found["quarantined"])),
        ("rejects", _known(found["rejects"], "write", "writes")),
        ("undelivered", _counted(found["undelivered"])),
        ("dead letters", many(found["dead_letters"], "event")),
        ("running", ", ".join(running) or "no workflow"),
    ]
    return [*pairs(rows), *(["", *found["attention"]] if found["attention"] else [])]


def _replica(found: dict[str, Any]) -> str:
    if found["replica"]["follows"]:
        return f"follows, {found['lag_seconds']} s behind when asked"
    if not found["replica"]["answers"]:
        return f"does not answer: {found['replica']['reason']}"
    if not found["primary"]["answers"]:
        return "answers; whether it follows is unknown while the primary is away"
    return f"does not follow: {found['replica']['reason']}"


def _waits(missing: dict[str, Any] | None) -> str:
    if missing is None:
        return "unknown while the primary is away"
    if not missing["batches"]:
        return "0 batches"
    return f"{batches(missing['batches'])}, {size(missing['bytes'])}, the oldest for {duration(missing['age_seconds'])}"


def _parked(found: dict[str, Any]) -> str:
    if found["parked"] is None:
        return "unknown while the primary is away"
    return batches(found["parked"]) + ("" if found["parked_exact"] else ", about")


def _known(count: int | None, one: str, more: str) -> str:
    return "unknown while the primary is away" if count is None else many(count, one, more)


def _counted(count: int) -> str:
    return many(count, "object") + (" or more" if count == COUNTED else "")
