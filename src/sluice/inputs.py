"""Errors of a workflow's input. They are the operator's: one sentence, and the way out."""

import datetime
from collections.abc import Collection, Iterable
from typing import Any, TypeVar

import msgspec

Request = TypeVar("Request")

# Step Functions' console knows by it who started an execution.
STARTED_BY = "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"


# Versions and keys know no time before it.
FIRST = datetime.datetime(1970, 1, 2, tzinfo=datetime.UTC)


class InvalidInput(Exception):  # noqa: N818
    """The input is not what the workflow takes."""


class InvalidWindow(Exception):  # noqa: N818
    """The window ends before it begins."""


class FutureTime(Exception):  # noqa: N818
    """The window lies ahead of the clock."""


class UnknownCollection(Exception):  # noqa: N818
    """No resource has this collection."""


class NothingToBuildFrom(Exception):  # noqa: N818
    """S3 has not what the tables could be made of."""


class AlreadyRebuilding(Exception):  # noqa: N818
    """Another rebuild is at work."""


def without_starter(given: Any) -> Any:
    """An input without the field that says which execution started this one."""
    return {name: value for name, value in given.items() if name != STARTED_BY} if isinstance(given, dict) else given


def converted(given: Any, kind: type[Request], workflow: str) -> Request:
    """The request of a workflow that an input makes. Raises InvalidInput."""
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        raise InvalidInput(
            f"The input of {workflow} is wrong: {error}. See events/{workflow}/ for what it takes."
        ) from None


def check_past(moments: Iterable[datetime.datetime | None], now: datetime.datetime) -> None:
    """Raises FutureTime for a moment ahead of the clock, InvalidInput for one that no version can have."""
    for moment in moments:
        if moment and moment < FIRST:
            raise InvalidInput(f"{moment.isoformat()} is before all writes: give a later time, or none.")
        if moment and moment > now:
            raise FutureTime(f"{text(moment)} is in the future: it is {text(now)}. Give an earlier time, or none.")


def check_known(names: Iterable[str], known: Collection[str]) -> None:
    """Raises UnknownCollection for a name that no resource has."""
    for name in names:
        if name not in known:
            raise UnknownCollection(f"There is no collection {name!r}; there are {', '.join(sorted(known))}.")


def text(moment: datetime.datetime) -> str:
    """A moment as operators read it: UTC, to the second."""
    return f"{moment.astimezone(datetime.UTC):%Y-%m-%dT%H:%M:%SZ}"
