"""When to ask again for a write that has not arrived."""

import math

from sluice.versions import age

LONGEST_PAUSE = 60


def retry_after(version: str, buffer_seconds: int) -> int:
    """Seconds until a write should have arrived; when it is overdue, a tenth of its age, so that an outage is not
    asked about by everybody all the time."""
    seconds = age(version)
    left = buffer_seconds - max(seconds, 0)
    return math.ceil(left) if left > 0 else max(1, min(math.floor(seconds / 10), LONGEST_PAUSE))
