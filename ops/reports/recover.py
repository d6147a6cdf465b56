"""The output of a recovery."""

from typing import Any

from ops.moments import duration
from ops.reports import replay


def report(output: dict[str, Any]) -> list[str]:
    """The lines for it."""
    if output["outcome"] == "standing_by":
        return [f"standing by: another recovery is at work, {output['holder'].rsplit(':', 1)[-1]}"]
    waited = f"the wait for the primary was {duration(output['waited'] or 0)}"
    took = f" in {duration(output['seconds'])}" if "seconds" in output else ""
    head = {"recovered": "recovered", "nothing_missing": "nothing was missing"}[output["outcome"]]
    database = output.get("database") or {}
    lines = [f"{head}{took}; {waited}", *([f"  {database['sentence']}"] if "sentence" in database else [])]
    return lines + ([f"  {line}" for line in replay.report(output["replay"])] if output["replay"]["planned"] else [])
