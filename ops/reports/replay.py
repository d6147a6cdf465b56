"""The output of a replay."""

import datetime
from collections.abc import Callable
from typing import Any

from ops.moments import written
from ops.outcome import DONE, REMAINS
from ops.printing import batches, many, pairs, size

Noun = Callable[[int], str]


def code(output: dict[str, Any]) -> int:
    """The exit code of it."""
    return REMAINS if output["status"] == "incomplete" else DONE


def report(output: dict[str, Any]) -> list[str]:
    """The lines for it."""
    noun = _objects if output["request"]["source"] == "archive" else batches
    lines = [_head(output, noun), *(f"  {line}" for line in pairs(_found(output, noun)))]
    if output["stopped"]:
        lines.append("  Too many loads met no database, so the rest was left: see `sluice status`, then run it again.")
    if output.get("advice"):
        lines.append(f"  {output['advice']}")
    return lines + [f"  {one['error']}  {one['key']}" for one in output["failures"]]


def _objects(count: int) -> str:
    return many(count, "object")


def _head(output: dict[str, Any], noun: Noun) -> str:
    if output["status"] == "planned":
        return f"dry run: {noun(output['planned'])} would be loaded; nothing was changed"
    if output["status"] == "complete":
        return "complete: nothing remains"
    return f"incomplete: {noun(max(output['remaining'], output['failed']))} could not be loaded"


def _found(output: dict[str, Any], noun: Noun) -> list[tuple[str, str]]:
    found = [("listed", noun(output["listed"])), ("planned", _planned(output, noun))]
    if output["status"] != "planned":
        others = (
            (output["already_loaded"], "loaded before"),
            (output["quarantined"], "set aside in quarantine"),
            (output["failed"], "failed"),
        )
        more = "".join(f", {count} {what}" for count, what in others if count)
        found += [
            ("loaded", noun(output["loaded"]) + more),
            ("writes", f"{output['applied']:,} applied, {output['stale']:,} stale, {output['rejected']:,} rejected"),
            ("remaining", noun(output["remaining"])),
        ]
    return [*found, ("took", f"{output['seconds']} s"), ("report", "s3://{bucket}/{key}".format(**output["report"]))]


def _planned(output: dict[str, Any], noun: Noun) -> str:
    planned = f"{noun(output['planned'])}, {size(output['bytes'])}"
    if not output["oldest"]:
        return planned
    return f"{planned}, the oldest of {written(datetime.datetime.fromisoformat(output['oldest']))}"
