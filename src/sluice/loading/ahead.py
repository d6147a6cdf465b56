"""Work ahead: the next part is read and rendered while the database takes the one before."""

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

Part = TypeVar("Part")


@contextmanager
def ahead(parts: Iterator[Part]) -> Iterator[Iterator[Part]]:
    """Iterate over parts that a thread makes, each while the one before is at work: two are at hand, never three.

    What the thread's iterator raises is raised at its turn. On leaving, the thread has ended, wherever it was.
    """
    ready: queue.SimpleQueue[tuple[Part | None, BaseException | None]] = queue.SimpleQueue()
    may_go_on, left = threading.Semaphore(), threading.Event()

    def work() -> None:
        error: BaseException | None = None
        try:
            while may_go_on.acquire() and not left.is_set():
                part = next(parts, None)
                if part is None:
                    break
                ready.put((part, None))
                del part
        except BaseException as caught:  # noqa: BLE001  raised in the other thread
            error = caught
        ready.put((None, error))

    def taken() -> Iterator[Part]:
        while True:
            part, error = ready.get()
            if error is not None:
                raise error
            if part is None:
                return
            may_go_on.release()
            yield part

    thread = threading.Thread(target=work, name="ahead", daemon=True)
    thread.start()
    try:
        yield taken()
    finally:
        left.set()
        may_go_on.release()
        thread.join()
