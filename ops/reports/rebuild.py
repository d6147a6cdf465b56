"""The output of a rebuild."""

from typing import Any

from ops.printing import many
from ops.reports import replay


def report(output: dict[str, Any]) -> list[str]:
    """The lines for it."""
    tables = [f"  {name}: {many(found['rows'], 'row')}" for name, found in sorted(output.get("tables", {}).items())]
    kept = [f"  kept: {name}" for name in output.get("kept", [])]
    return [*replay.report(output), *tables, *kept]
