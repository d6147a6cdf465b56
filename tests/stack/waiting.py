"""Wait for a condition."""

import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def eventually(probe: Callable[[], Result | None], seconds: float = 60) -> Result:
    """Return the result of `probe` as soon as it is true; fail with its last result after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (result := probe()):
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds:.0f} s still {result!r}")
        time.sleep(0.3)
    return result
