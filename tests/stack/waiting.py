"""Waiting for what is under way."""

import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def eventually(look: Callable[[], Result | None], seconds: float = 60) -> Result:
    """Return what `look` finds as soon as it is true; fail with the last that it found."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds:.0f} s still {found!r}")
        time.sleep(0.3)
    return found
