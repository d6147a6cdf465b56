"""Output of the command: the result on standard output; questions, progress and errors on standard error."""

import json
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from ops.errors import EXIT_DONE, OperationError, UsageError


@dataclass(frozen=True)
class CommandResult:
    """What a verb came to: `document` is what `--json` prints, `lines` are for a person."""

    document: Any
    lines: list[str] = field(default_factory=list)
    exit_code: int = EXIT_DONE


def print_result(outcome: CommandResult, *, as_json: bool) -> None:
    """Print an outcome. Whoever closed the pipe has read enough. Raises Failure when it cannot be written."""
    text = (
        json.dumps(outcome.document, indent=2) if as_json else "\n".join(map(escape_control_characters, outcome.lines))
    )
    if sys.stdout is None:
        return
    encoding = sys.stdout.encoding or "utf-8"
    try:
        print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)
    except BrokenPipeError:
        return
    except OSError as error:
        raise OperationError(f"What was done could not be printed: {error.strerror}.") from None


def print_error(text: str, end: str = "\n") -> None:
    """Say something on standard error, if anybody listens there."""
    # None where it is closed, which print would take for standard output.
    if sys.stderr is None:
        return
    with suppress(OSError):
        print(text, end=end, file=sys.stderr, flush=True)


def escape_control_characters(line: str) -> str:
    """A line without what would steer a terminal: a client chose some of the texts."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in line)


def require_confirmation(stack_name: str, effect: str, typed_name: str | None) -> None:
    """Return if the operator means it: by the stack's name, typed now or given beforehand. Raises Mistake otherwise."""
    if typed_name is None and (sys.stdin is None or not sys.stdin.isatty()):
        raise UsageError(f"This {effect}; to confirm it in a script, give --yes {stack_name}.")
    if typed_name is None:
        print_error(f"This {effect}.\nType the stack's name, {stack_name}, to go on: ", end="")
        typed_name = _read_line()
    if typed_name != stack_name:
        raise UsageError(f"Nothing was done: {typed_name!r} is not the stack's name, which is {stack_name}.")


def _read_line() -> str:
    line = ""
    try:
        line = sys.stdin.readline()
    finally:
        # After Ctrl-C or Ctrl-D what is said next would stand behind the question.
        if not line.endswith("\n"):
            print_error("")
    return line.strip()


def format_pairs(found: Iterable[tuple[str, str]]) -> list[str]:
    """Names and values, one pair a line, the values one below the other."""
    rows = list(found)
    width = max((len(name) for name, _ in rows), default=0)
    return [f"{name:{width}}  {value}" for name, value in rows]


def format_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Columns under a head; the last one is as long as it is."""
    lines = [head, *rows]
    widths = [max(len(line[at]) for line in lines) for at in range(len(head))]
    return ["  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def format_count(count: int, one: str, more: str = "") -> str:
    """A count and its noun: `1 batch`, `2 batches`."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"


def format_batches(count: int) -> str:
    return format_count(count, "batch", "batches")


def format_size(count: int) -> str:
    """A number of bytes."""
    amount = float(count)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{count} bytes" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"
