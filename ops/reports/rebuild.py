"""The output of a rebuild."""

from typing import Any

from ops.printing import batches, many
from ops.reports import replay


def report(output: dict[str, Any]) -> list[str]:
    """The lines for it."""
    tables = [f"  {name}: {many(found['rows'], 'row')}" for name, found in sorted(output.get("tables", {}).items())]
    excluded = [f"  left out what {name} excludes" for name in output.get("excluded", [])]
    later = output.get("later", {}).get("loaded", 0)
    after = [f"  {batches(later)} of these came after the swap"] if later else []
    kept = [f"  kept: {name}" for name in output.get("kept", [])]
    return [*replay.report(output), *after, *tables, *excluded, *kept]
