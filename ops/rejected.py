"""The store of rejected writes, through the stack's own function."""

from collections.abc import Iterator
from typing import Any

from ops.stack import Stack

Selection = dict[str, list[str]]


def settle(stack: Stack) -> dict[str, int]:
    """Have writes that were loaded meanwhile taken out; what that came to."""
    return dict(stack.invoke("Rejects", {"action": "settle"}))


def total(stack: Stack, select: Selection) -> int:
    return int(stack.invoke("Rejects", {"action": "list", "select": select, "limit": 1})["total"])


def rejects(stack: Stack, select: Selection, limit: int, *, data: bool) -> tuple[int, list[dict[str, Any]]]:
    """How many rejects fit, and the first of them in the order of their versions."""
    found: list[dict[str, Any]] = []
    after: str | None = ""
    count = 0
    while after is not None and len(found) < limit:
        more = min(limit - len(found), 500)
        answer = stack.invoke(
            "Rejects", {"action": "list", "select": select, "after": after, "limit": more, "data": data}
        )
        count, after = int(answer["total"]), answer["after"]
        found += answer["rejects"]
    return count, found


def retry(stack: Stack, select: Selection) -> Iterator[tuple[str, int]]:
    """Put what fits into batches to be loaded; the key of each, and how many writes it has."""
    after: str | None = ""
    while after is not None:
        answer = stack.invoke("Rejects", {"action": "retry", "select": select, "after": after})
        after = answer["after"]
        if answer["batch"]:
            yield answer["batch"], answer["writes"]


def drop(stack: Stack, select: Selection) -> int:
    """Forget what fits; how many writes that were."""
    dropped, more = 0, True
    while more:
        answer = stack.invoke("Rejects", {"action": "drop", "select": select})
        dropped, more = dropped + answer["dropped"], answer["more"]
    return dropped
