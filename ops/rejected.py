"""The store of rejected writes, through the stack's own function."""

import sys
from collections.abc import Iterator
from typing import Any

from ops.stack import Stack

Selection = dict[str, list[str]]

# Rejects that the function lists, or takes the names of, at a time.
AT_ONCE = 500


def settle(stack: Stack) -> dict[str, Any]:
    """Have writes that were loaded meanwhile taken out: how many were `settled`, and how many rejected `again`.

    `pending` has the keys of the batches that are still to be loaded.
    """
    return dict(stack.invoke("Rejects", {"action": "settle"}))


def total(stack: Stack, select: Selection) -> int:
    return int(stack.invoke("Rejects", {"action": "list", "select": select, "limit": 1})["total"])


def rejects(stack: Stack, select: Selection, limit: int, *, data: bool) -> tuple[int, list[dict[str, Any]]]:
    """How many rejects fit, and the first of them in the order of their versions."""
    found: list[dict[str, Any]] = []
    after: str | None = ""
    count = 0
    while after is not None and len(found) < limit:
        more = min(limit - len(found), AT_ONCE)
        answer = stack.invoke(
            "Rejects", {"action": "list", "select": select, "after": after, "limit": more, "data": data}
        )
        count, after = int(answer["total"]), answer["after"]
        found += answer["rejects"]
    return count, found


def retry(stack: Stack, select: Selection) -> Iterator[dict[str, Any]]:
    """Put what fits into batches to be loaded, and yield each.

    `batch` is its key (empty: nothing could be put), `writes` how many it has, `broken` how many could not be put:
    their text was no UTF-8 and is kept with escapes.
    """
    after: str | None = ""
    while after is not None:
        answer = stack.invoke("Rejects", {"action": "retry", "select": select, "after": after})
        after = answer["after"]
        yield answer


def versions(stack: Stack, select: Selection) -> list[str]:
    """The versions of all rejects that fit."""
    _, found = rejects(stack, select, sys.maxsize, data=False)
    return [str(one["version"]) for one in found]


def drop(stack: Stack, select: Selection, versions: list[str]) -> int:
    """Forget those that fit among these versions; how many writes that were.

    By version, so that nothing goes that came after somebody was told how many there are.
    """
    dropped = 0
    for start in range(0, len(versions), AT_ONCE):
        some = versions[start : start + AT_ONCE]
        more = True
        while more:
            answer = stack.invoke("Rejects", {"action": "drop", "select": {**select, "versions": some}})
            dropped, more = dropped + answer["dropped"], answer["more"]
    return dropped
