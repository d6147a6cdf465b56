"""Batches that wait to be loaded: those in S3 that the ledger lacks."""

from typing import Any

from ops.moments import age
from ops.stack import Stack


def waiting(stack: Stack, request: dict[str, Any]) -> dict[str, Any]:
    """How many batches wait within a replay's request, and since when (`age_seconds`).

    The stack looks through all keys, step by step, so it may take minutes where there are millions. Raises
    FunctionFailed, with DatabaseAway when the ledger cannot be read.
    """
    plan = stack.invoke("Plan", {"step": "begin", "name": "status", "request": request})
    while not plan["verified"]:
        plan = stack.invoke("Plan", {"step": "verify", "plan": plan})
    found = plan["remaining"]
    return {
        "batches": found["objects"],
        "bytes": found["bytes"],
        "oldest": found["oldest"],
        "age_seconds": round(age(found["oldest"])) if found["oldest"] else None,
        "sample": found["sample"],
    }
