"""`sluice status --watch`: the live picture in a terminal, or block after block elsewhere."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from ops.aws import Stack
from ops.commands.status import format_report
from ops.console.calls import CallMeter
from ops.console.messages import Calls, Problem, Rates, Snapshot, to_document
from ops.console.picture import Picture
from ops.output import escape_control_characters, format_count, format_pairs, print_text

# A line that begins with one of these needs attention.
_ATTENTION = "! "


def watch_status(stack: Stack, seconds: float | None, *, as_json: bool) -> None:
    """Show the live picture every `seconds`, until Ctrl-C. None: as often as the page of the console does.

    On a terminal, the picture is replaced. Elsewhere each is a block of lines, or with `as_json` a line of JSON.
    """
    meter = CallMeter()
    stack.observe_calls(meter.count)
    picture = Picture(stack, meter)
    picture.refresh_seconds = seconds or picture.refresh_seconds
    try:
        with _open_display(as_json=as_json) as show:
            while True:
                show(picture.read())
                time.sleep(max(picture.next_read_seconds, 0.0))
    except (KeyboardInterrupt, BrokenPipeError):
        return


@contextmanager
def _open_display(*, as_json: bool) -> Iterator[Callable[[Snapshot], Any]]:
    console = Console()
    if as_json:
        yield lambda snapshot: print(json.dumps(to_document(snapshot)), flush=True)
    elif not console.is_terminal:
        yield lambda snapshot: print_text("\n".join([*format_snapshot(snapshot), ""]))
    else:
        # What does not fit below the window is cut; a line that is too wide goes on below.
        with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
            yield lambda snapshot: live.update(build_text(snapshot), refresh=True)


def build_text(snapshot: Snapshot) -> Text:
    """The picture for a terminal. What needs attention is red and begins with `!`, for those who see no colours."""
    text = Text(overflow="fold")
    for line in format_snapshot(snapshot):
        text.append(f"{line}\n", style="bold red" if line.startswith(_ATTENTION) else "")
    return text


def format_snapshot(snapshot: Snapshot) -> list[str]:
    """The lines of the picture: time, rates, status, and last what needs attention."""
    status = snapshot.status
    report = format_report({**status, "advice": []}) if status else []
    attention = [
        *(f"{alarm.name} since {alarm.since}" for alarm in snapshot.alarms if alarm.state == "ALARM"),
        *(status["advice"] if status else []),
        *map(_format_problem, snapshot.problems),
    ]
    # As wide as the names of the report.
    rows = [
        ("at          ", snapshot.at),
        ("rates", _format_rates(snapshot.rates)),
        ("alarms", _count_alarms(snapshot)),
    ]
    lines = [
        *format_pairs(rows),
        *report,
        _format_calls(snapshot.calls),
        *(f"{_ATTENTION}{sentence}" for sentence in attention),
    ]
    return [escape_control_characters(line) for line in lines]


def _format_rates(rates: Rates) -> str:
    if rates.requests is None:
        return "no metrics yet"
    return (
        f"{rates.requests:g} requests/s, {rates.writes_accepted:g} writes accepted/s, "
        f"{rates.writes_applied:g} applied/s, {rates.reads:g} reads/s, {rates.errors:g} errors/s"
    )


def _format_calls(calls: Calls) -> str:
    return f"{format_count(round(calls.per_hour), 'call')} of AWS per hour, {calls.dollars_per_hour:.3f} dollars"


def _count_alarms(snapshot: Snapshot) -> str:
    count = sum(alarm.state == "ALARM" for alarm in snapshot.alarms)
    return f"{count} of {len(snapshot.alarms)} in alarm"


def _format_problem(problem: Problem) -> str:
    return f"{problem.message} {problem.hint}".rstrip()
