"""Trying again to put something on the stream: at random moments, and not for long."""

import random
import time
from collections.abc import Iterator

# All in seconds. A put and its retries end within LONGEST, so that the client is answered before the function ends.
TRIES = 4
CONNECT_SECONDS, READ_SECONDS = 1.0, 2.0
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 2.0
LONGEST = 15.0


def latest_begin() -> float:
    """When the last try may begin."""
    return time.monotonic() + LONGEST - CONNECT_SECONDS - READ_SECONDS


def tries(latest: float) -> Iterator[int]:
    """The tries that a put may make: between them pauses at random, that may be longer each time."""
    yield 0
    for attempt in range(1, TRIES):
        pause = random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (attempt - 1)))  # noqa: S311  jitter
        if time.monotonic() + pause > latest:
            return
        time.sleep(pause)
        yield attempt
