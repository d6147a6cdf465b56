"""Show the progress of an import or an export: a bar on a terminal, a line now and then elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from ops.output import is_on_terminal, print_error

LINE_INTERVAL_SECONDS = 5.0
WIDE_CHARACTERS = 80  # a narrower terminal has room for numbers only

Show = Callable[[int, int | None, str], None]
"""Receives how much is done, of how much (None: nobody knows), and a text such as `1,000 rows`."""


@contextmanager
def show_transfer(name: str) -> Iterator[Show]:
    """Show the progress of a transfer on standard error."""
    if not is_on_terminal():
        yield _LineProgress(name)
        return
    console = Console(stderr=True)
    columns: list[ProgressColumn] = [TaskProgressColumn(), TextColumn("{task.fields[detail]}")]
    if console.width >= WIDE_CHARACTERS:
        columns = [TextColumn("{task.description}"), BarColumn(), *columns]
        columns += [TimeElapsedColumn(), TextColumn("remaining"), TimeRemainingColumn()]
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(name, total=None, detail="")

        def show(done: int, total: int | None, detail: str) -> None:
            progress.update(task, completed=done, total=total, detail=detail)

        yield show


class _LineProgress:
    """Progress without a terminal: a line now and then."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._next_line_at = time.monotonic() + LINE_INTERVAL_SECONDS

    def __call__(self, done: int, total: int | None, detail: str) -> None:
        if time.monotonic() >= self._next_line_at:
            self._next_line_at = time.monotonic() + LINE_INTERVAL_SECONDS
            share = f" ({done * 100 // total}%)" if total else ""
            print_error(f"{self._name}: {detail}{share}")
