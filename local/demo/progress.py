"""What the demo prints while it runs: steps with their seconds; a bar on a terminal, a line now and then elsewhere."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

LINE_INTERVAL_SECONDS = 3.0

Advance = Callable[[int], None]
"""Receives how many further writes were accepted."""


class Reporter:
    """Prints to standard output. `seconds` counts from the start of the demo."""

    def __init__(self) -> None:
        # Paths and addresses stay whole when the output is no terminal.
        self._console = Console(highlight=False, soft_wrap=True)
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    def print(self, text: str, style: str = "") -> None:
        """Print a line, with the seconds since the start before it."""
        self._console.print(f"{self.seconds:6.1f} s  {text}", style=style or None, markup=False)

    def print_detail(self, text: str) -> None:
        self._console.print(f"          {text}", style="dim", markup=False)

    @contextmanager
    def step(self, description: str) -> Iterator[None]:
        """Print what begins, and how long it took."""
        self.print(f"{description} …")
        started = time.monotonic()
        yield
        self.print_detail(f"took {time.monotonic() - started:.1f} s")

    @contextmanager
    def count_writes(self, description: str, total: int) -> Iterator[Advance]:
        """Show how many of the writes are accepted, and at the end how many there were in a second."""
        self.print(f"{description} …")
        started = time.monotonic()
        done = 0
        if self._console.is_terminal:
            columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("remaining"))
            with Progress(
                TextColumn("         "), *columns, TimeRemainingColumn(), console=self._console, transient=True
            ) as bar:
                task = bar.add_task("", total=total)
                yield lambda count: bar.advance(task, count)
        else:
            next_line_at = started + LINE_INTERVAL_SECONDS

            def advance(count: int) -> None:
                nonlocal done, next_line_at
                done += count
                if time.monotonic() >= next_line_at:
                    next_line_at = time.monotonic() + LINE_INTERVAL_SECONDS
                    self.print_detail(f"{done:,} of {total:,} ({done * 100 // total}%)")

            yield advance
        seconds = time.monotonic() - started
        self.print_detail(f"{total:,} writes in {seconds:.1f} s, {total / seconds:,.0f} a second")

    def print_table(self, lines: Mapping[str, str]) -> None:
        table = Table(show_header=False)
        table.add_column()
        table.add_column(justify="right")
        for name, value in lines.items():
            table.add_row(name, value)
        self._console.print(table)

    def print_result(self, text: str, *, is_good: bool) -> None:
        self._console.print(text, style="bold green" if is_good else "bold red", markup=False)
