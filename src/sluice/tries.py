"""Trying again to put something on the stream: only where it can help, at random moments, and not for long."""

import random
import time
from collections.abc import Iterator

from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError  # noqa: A004

# All in seconds. A put and its retries end within LONGEST, so that the client is answered before the function ends.
TRIES = 4
CONNECT_TIMEOUT, READ_TIMEOUT = 1.0, 2.0
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 2.0
LONGEST = 15.0

_BUSY = {
    "LimitExceededException",
    "RequestLimitExceeded",
    "RequestTimeout",
    "RequestTimeoutException",
    "Throttling",
    "ThrottledException",
    "ThrottlingException",
    "TooManyRequestsException",
}


def latest_begin() -> float:
    """When the last try may begin."""
    return time.monotonic() + LONGEST - CONNECT_TIMEOUT - READ_TIMEOUT


def tries(latest: float) -> Iterator[int]:
    """The tries that a put may make: between them pauses at random, that may be longer each time."""
    yield 0
    for attempt in range(1, TRIES):
        pause = random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (attempt - 1)))  # noqa: S311  jitter
        if time.monotonic() + pause > latest:
            return
        time.sleep(pause)
        yield attempt


def passes(error: ClientError | BotoCoreError) -> bool:
    """Whether the same may well succeed a moment later."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= 500 or code_of(error) in _BUSY
    return isinstance(error, ConnectionError | HTTPClientError)


def code_of(error: ClientError | BotoCoreError) -> str:
    """AWS's error code, or the class of the client's error."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "Unknown"))
    return type(error).__name__
