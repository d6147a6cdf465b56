"""Reading one's own write: an item not before the replica has a version of it."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from sluice.errors import DatabaseUnavailable, LockConflict
from sluice.http.problem import Problem
from sluice.http.request import parse_preferred_wait, read_query_parameters
from sluice.http.response import Response
from sluice.model.item_state import ItemState
from sluice.observability import add_log_fields, describe_error
from sluice.query.item import create_item_response, read_through
from sluice.query.read_context import ReadContext, parse_version, retry_after_seconds

FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS = 0.05, 0.5  # seconds


T = TypeVar("T")


def respond_with_version(question: ReadContext) -> Response:
    """Answer as a read of the item, once the replica has the version that is asked for or a later one.

    Raises Problem 425 when it has not after the seconds that the client prefers to wait (fewer, if those are more
    than are allowed), and the faults of `sluice.db.errors` that waiting does not help.
    """
    version = parse_version(read_query_parameters(question.request, {"version"})["version"])
    item_id = question.item_id
    preferred = parse_preferred_wait(question.request)
    wait = min(preferred or 0, question.settings.wait_seconds)
    applied = {} if preferred is None else {"Preference-Applied": f"wait={wait}"}
    add_log_fields(awaited=version, wait=wait)
    state = poll_until_present(lambda: _read_once(question, item_id, version), wait)
    if state is None:
        raise Problem(
            425,
            "The replica does not have this version of the item yet.",
            headers=_too_early_headers(question, applied),
        )
    try:
        response = create_item_response(question, state)
    except Problem as problem:
        problem.headers |= applied
        raise
    response.headers.update(applied)
    return response


def poll_until_present(read: Callable[[], T | None], timeout_seconds: float) -> T | None:
    """What is found within so many seconds: looked for at once, then less and less often, and at their end."""
    deadline, pause = time.monotonic() + timeout_seconds, FIRST_BACKOFF_SECONDS
    while (seen := read()) is None and (left := deadline - time.monotonic()) > 0:
        time.sleep(min(left, random.uniform(pause / 2, pause)))  # noqa: S311  jitter
        pause = min(pause * 1.5, MAX_BACKOFF_SECONDS)
    return seen


def _read_once(question: ReadContext, item_id: str, version: str) -> ItemState | None:
    """Look once. A replica that is away has nothing yet: it may be back before the time is over."""
    try:
        return read_through(question, item_id, version)
    except (DatabaseUnavailable, LockConflict) as fault:
        add_log_fields(away={**describe_error(fault), "fault": str(fault)})
        return None


def _too_early_headers(question: ReadContext, applied: dict[str, str]) -> dict[str, str]:
    version, item_id = question.request.query["version"], question.request.item_id
    return {
        "Retry-After": str(retry_after_seconds(version, question.settings.buffer_seconds)),
        "Link": f'<{item_id}/writes/{version}>; rel="status"',
        **applied,
    }
