"""Which of the waiting batches are parked: their loads gave up."""

from typing import Any

from ops.stack import Stack
from ops.workflows import describe, listed

# Executions that are looked into, the latest.
MOST = 100


def parked(stack: Stack, waiting: dict[str, Any]) -> tuple[int, bool]:
    """How many of the batches that wait are parked, and whether that is exact: of very many only some are known."""
    if not waiting["batches"]:
        return 0, True
    failed = listed(stack, "load_batch", "FAILED", MOST)
    found = [describe(stack, one.arn) for one in failed]
    keys = {_key(one.input) for one in found if one.error == "Parked"} - {""}
    if waiting["batches"] == len(waiting["sample"]):
        return len(keys & set(waiting["sample"])), len(failed) < MOST
    return min(len(keys), waiting["batches"]), False


def _key(given: Any) -> str:
    """The batch that an execution was started for; empty where somebody started it with something else."""
    try:
        return str(given["detail"]["object"]["key"])
    except (KeyError, TypeError):
        return ""
