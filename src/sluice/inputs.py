"""Errors of a workflow's input. They are the operator's: one sentence, and the way out."""

import datetime

# Step Functions' console knows by it who started an execution.
STARTED_BY = "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"


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


def text(moment: datetime.datetime) -> str:
    """A moment as operators read it: UTC, to the second."""
    return f"{moment.astimezone(datetime.UTC):%Y-%m-%dT%H:%M:%SZ}"
