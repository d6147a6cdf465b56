"""Validate the input of a workflow. Each error is one sentence for the operator and says what to do."""

import datetime
from collections.abc import Collection, Iterable
from typing import Any, TypeVar

import msgspec

from sluice.errors import FutureTime, InvalidInput, UnknownCollection

Request = TypeVar("Request")


# Step Functions' console knows by it who started an execution.
STARTED_BY_FIELD = "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"


# Versions and keys know no time before it.
EARLIEST_TIME = datetime.datetime(1970, 1, 2, tzinfo=datetime.UTC)


def strip_starter(given: Any) -> Any:
    """An input without the field that says which execution started this one."""
    return (
        {name: value for name, value in given.items() if name != STARTED_BY_FIELD} if isinstance(given, dict) else given
    )


def convert_input(given: Any, kind: type[Request], workflow: str) -> Request:
    """The request of a workflow that an input makes. Raises InvalidInput."""
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        raise InvalidInput(
            f"The input of {workflow} is wrong: {error}. See events/{workflow}/ for what it takes."
        ) from None


def check_not_future(moments: Iterable[datetime.datetime | None], now: datetime.datetime) -> None:
    """Raises FutureTime for a moment ahead of the clock, InvalidInput for one that no version can have."""
    for moment in moments:
        if moment and moment < EARLIEST_TIME:
            raise InvalidInput(f"{moment.isoformat()} is before all writes: give a later time, or none.")
        if moment and moment > now:
            raise FutureTime(
                f"{format_time(moment)} is in the future: it is {format_time(now)}. Give an earlier time, or none."
            )


def check_collections(names: Iterable[str], known: Collection[str]) -> None:
    """Raises UnknownCollection for a name that no resource has."""
    for name in names:
        if name not in known:
            raise UnknownCollection(f"There is no collection {name!r}; there are {', '.join(sorted(known))}.")


def format_time(moment: datetime.datetime) -> str:
    """A moment as operators read it: UTC, to the second."""
    return f"{moment.astimezone(datetime.UTC):%Y-%m-%dT%H:%M:%SZ}"
