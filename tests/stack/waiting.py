"""Wait for a condition."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from local.stack import Stack

Result = TypeVar("Result")


def eventually(probe: Callable[[], Result | None], seconds: float = 60) -> Result:
    """Return the result of `probe` as soon as it is true; fail with its last result after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (result := probe()):
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds:.0f} s still {result!r}")
        time.sleep(0.3)
    return result


@contextmanager
def backing_up(stack: Stack) -> Iterator[None]:
    """Let Firehose deliver each second what it buffers for the archive. Its interval is a minute at least."""
    ended = threading.Event()

    def back_up() -> None:
        while not ended.wait(1):
            stack.emulator.back_up()

    thread = threading.Thread(target=back_up)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
