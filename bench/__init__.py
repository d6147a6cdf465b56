"""Benchmarks: ratios of ways that take turns in one run. No test asserts a time."""

import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def create_folder() -> Iterator[Path]:
    """Create the folder of a benchmark's servers, and delete it at the end.

    SIGTERM raises SystemExit, as Ctrl-C raises KeyboardInterrupt: so the benchmark also stops what it started.
    """
    former = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        with tempfile.TemporaryDirectory(prefix="sluice-bench-") as name:
            yield Path(name)
    finally:
        signal.signal(signal.SIGTERM, former)
