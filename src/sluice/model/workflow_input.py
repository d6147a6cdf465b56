"""Validate the input of a workflow. Each error is one sentence for the operator and says what to do."""

import datetime
from collections.abc import Collection, Iterable
from typing import Any, TypeVar

import msgspec

from sluice.errors import FutureTime, InvalidInput, UnknownCollection

RequestT = TypeVar("RequestT")

# In the input of an execution that another one started: Step Functions' console links both by it.
STARTED_BY_FIELD = "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"

# No version and no object key is older.
EARLIEST_TIME = datetime.datetime(1970, 1, 2, tzinfo=datetime.UTC)


def strip_starter(value: Any) -> Any:
    """Remove the field with the execution that started this one."""
    if not isinstance(value, dict):
        return value
    return {name: field for name, field in value.items() if name != STARTED_BY_FIELD}


def convert_input(value: Any, request_class: type[RequestT], workflow: str) -> RequestT:
    """Convert a workflow's input to its request. Raises InvalidInput."""
    try:
        return msgspec.convert(value, request_class)
    except msgspec.ValidationError as error:
        raise InvalidInput(
            f"The input of {workflow} is invalid: {error}. See events/{workflow}/ for examples."
        ) from None


def check_not_future(times: Iterable[datetime.datetime | None], now: datetime.datetime) -> None:
    """Raises FutureTime for a time after `now`, and InvalidInput for one that no version can have."""
    for time in times:
        if time and time < EARLIEST_TIME:
            raise InvalidInput(f"{time.isoformat()} is before all writes: use a later time, or none.")
        if time and time > now:
            raise FutureTime(
                f"{format_time(time)} is in the future: it is {format_time(now)}. Use an earlier time, or none."
            )


def check_collections(names: Iterable[str], collections: Collection[str]) -> None:
    """Raises UnknownCollection for a name that no resource has."""
    for name in names:
        if name not in collections:
            raise UnknownCollection(f"There is no collection {name!r}; there are {', '.join(sorted(collections))}.")


def format_time(time: datetime.datetime) -> str:
    """Format a time for operators: UTC, to the second."""
    return f"{time.astimezone(datetime.UTC):%Y-%m-%dT%H:%M:%SZ}"
