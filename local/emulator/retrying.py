"""How long Step Functions waits before it tries a state again."""

import random
from typing import Any


def delay(retrier: dict[str, Any], count: int) -> float:
    """Seconds before retry number `count` (from 0), as the retrier's fields say."""
    first, rate = float(retrier.get("IntervalSeconds", 1)), float(retrier.get("BackoffRate", 2.0))
    try:
        seconds = first * rate**count
    except OverflowError:
        seconds = float("inf")
    seconds = min(seconds, float(retrier.get("MaxDelaySeconds", "inf")))
    if retrier.get("JitterStrategy") == "FULL":
        seconds = random.uniform(0, seconds)  # noqa: S311 - spreads load, guards nothing
    return seconds
