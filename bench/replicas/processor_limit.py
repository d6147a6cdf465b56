"""Limit the processor time of running processes, as `cpu.max` of a cgroup does, which needs rights that few users have.

A process that has used more than its share is stopped (SIGSTOP) until it may go on. So each of several servers on one
machine has the capacity of a smaller machine of its own, and their sum can grow with their number.
"""

import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

# A process may use at most so much at once, so that its pauses are short.
BURST_SECONDS = 0.001
PERIOD_SECONDS = 0.001


def read_processor_seconds(pid: int) -> float:
    """The processor time that a process has used, to the nanosecond. Raises OSError when it has ended."""
    return time.clock_gettime((~pid << 3) | 2)  # what clock_getcpuclockid(3) of the C library returns on Linux


class _LimitedProcess:
    def __init__(self, pid: int, share: float) -> None:
        self._pid, self._share = pid, share
        self._allowance, self._is_stopped = BURST_SECONDS, False
        self._measured_at, self._used = time.monotonic(), read_processor_seconds(pid)

    def adjust(self) -> None:
        """Stop it, or let it go on, by what it used since the last call."""
        now, used = time.monotonic(), read_processor_seconds(self._pid)
        earned = (now - self._measured_at) * self._share
        self._allowance = min(BURST_SECONDS, self._allowance + earned - (used - self._used))
        self._measured_at, self._used = now, used
        if self._is_stopped != (self._allowance <= 0):
            self._is_stopped = not self._is_stopped
            os.kill(self._pid, signal.SIGSTOP if self._is_stopped else signal.SIGCONT)

    def release(self) -> None:
        os.kill(self._pid, signal.SIGCONT)


@contextmanager
def limit_processor(pids: Sequence[int], share: float) -> Iterator[None]:
    """Let each process use at most this share of one processor until the context ends."""
    processes = [_LimitedProcess(pid, share) for pid in pids]
    ended = threading.Event()

    def control() -> None:
        while not ended.wait(PERIOD_SECONDS):
            for process in processes:
                process.adjust()

    thread = threading.Thread(target=control)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        for process in processes:
            process.release()
