"""The tables that rebuilds kept, as the stack's function lists and drops them."""

from typing import Any

from ops.confirming import confirm
from ops.outcome import Mistake, Outcome
from ops.printing import many, size, table
from ops.stack import Stack


def show(stack: Stack) -> Outcome:
    """All of them, the oldest first."""
    found = _kept(stack)
    rows = [(one["name"], str(len(one["tables"])), size(one["bytes"])) for one in found]
    return Outcome({"kept": found}, table(("name", "tables", "size"), rows) if rows else ["no tables are kept"])


def drop(stack: Stack, name: str, yes: str | None) -> Outcome:
    """Drop those of a name, or all (empty), when that is confirmed. Raises Mistake, also when there are none."""
    there = [str(one["name"]) for one in _kept(stack)]
    wanted = [one for one in there if one == name or not name]
    if not wanted:
        raise Mistake(f"No tables are kept as {name!r}; there are {', '.join(there)}." if there else "None are kept.")
    confirm(stack.name, f"drops {many(len(wanted), 'schema')} of old tables for good: {', '.join(wanted)}", yes)
    for one in wanted:
        stack.invoke("Rebuild", {"step": "drop", "name": one})
    return Outcome({"dropped": wanted}, [f"dropped {one}" for one in wanted])


def _kept(stack: Stack) -> list[dict[str, Any]]:
    return list(stack.invoke("Rebuild", {"step": "kept"})["kept"])
