"""The steps of a command, and how long each took."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

ProgressReporter = Callable[[str], None]
"""Receives a line for each step that takes time."""

SHORT_SECONDS = 0.05
"""A step that took less had nothing to do, and is not reported."""


class Steps:
    """Reports each step when it begins, and the seconds of all at the end."""

    def __init__(self, report_progress: ProgressReporter) -> None:
        self._report_progress = report_progress
        self._started = time.monotonic()
        self._seconds: dict[str, float] = {}

    @contextmanager
    def measure(self, step: str) -> Iterator[None]:
        """Report and measure a step."""
        self._report_progress(f"{step} …")
        started = time.monotonic()
        yield
        self._seconds[step] = time.monotonic() - started

    def report(self) -> None:
        """Report how long the steps took."""
        steps = [f"{step} {seconds:.1f}" for step, seconds in self._seconds.items() if seconds >= SHORT_SECONDS]
        self._report_progress(f"ready after {time.monotonic() - self._started:.1f} s: {', '.join(steps)}")
