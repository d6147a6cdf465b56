"""Reading one's own write: an item not before the replica has a version of it."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from sluice.api.parameters import parameters
from sluice.api.preferences import preferred_wait
from sluice.api.problems import Problem
from sluice.api.responses import Response
from sluice.faults import DatabaseAway, TryAgain
from sluice.observability import described, note
from sluice.reading.arrival import retry_after
from sluice.reading.finding import found
from sluice.reading.question import Question, version_of
from sluice.reading.single import shown
from sluice.states import ItemState

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 0.5  # seconds

T = TypeVar("T")


def answer_version(question: Question) -> Response:
    """Answer as a read of the item, once the replica has the version that is asked for or a later one.

    Raises Problem 425 when it has not after the seconds that the client prefers to wait (fewer, if those are more
    than are allowed), and the faults of `sluice.faults` that waiting does not help.
    """
    version = version_of(parameters(question.request, {"version"})["version"])
    item_id = question.item_id
    preferred = preferred_wait(question.request)
    wait = min(preferred or 0, question.settings.wait_seconds)
    applied = {} if preferred is None else {"Preference-Applied": f"wait={wait}"}
    note(awaited=version, wait=wait)
    state = awaited(lambda: _look(question, item_id, version), wait)
    if state is None:
        raise Problem(425, "The replica does not have this version of the item yet.", headers=_later(question, applied))
    try:
        response = shown(question, state)
    except Problem as problem:
        problem.headers |= applied
        raise
    response.headers.update(applied)
    return response


def awaited(look: Callable[[], T | None], seconds: float) -> T | None:
    """What is found within so many seconds: looked for at once, then less and less often, and at their end."""
    deadline, pause = time.monotonic() + seconds, FIRST_PAUSE
    while (seen := look()) is None and (left := deadline - time.monotonic()) > 0:
        time.sleep(min(left, random.uniform(pause / 2, pause)))  # noqa: S311  jitter
        pause = min(pause * 1.5, LONGEST_PAUSE)
    return seen


def _look(question: Question, item_id: str, version: str) -> ItemState | None:
    """Look once. A replica that is away has nothing yet: it may be back before the time is over."""
    try:
        return found(question, item_id, version)
    except (DatabaseAway, TryAgain) as fault:
        note(away={**described(fault), "fault": str(fault)})
        return None


def _later(question: Question, applied: dict[str, str]) -> dict[str, str]:
    version, item_id = question.request.query["version"], question.request.item_id
    return {
        "Retry-After": str(retry_after(version, question.settings.buffer_seconds)),
        "Link": f'<{item_id}/writes/{version}>; rel="status"',
        **applied,
    }
