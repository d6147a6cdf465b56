"""Output of the command: results on standard output; questions, progress and errors on standard error."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TextIO

from ops.errors import EXIT_DONE, CommandError, OperationError, UsageError

_listener: ContextVar[Callable[[str], None] | None] = ContextVar("listener", default=None)


@contextmanager
def divert_errors(listener: Callable[[str], None]) -> Iterator[None]:
    """Give the lines that this thread would print on standard error to `listener`."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def is_on_terminal() -> bool:
    """Whether a person sees this thread's standard error on a terminal."""
    return _listener.get() is None and sys.stderr is not None and sys.stderr.isatty()


@dataclass(frozen=True)
class CommandResult:
    """The result of a command: `document` is what `--json` prints, `lines` are what a person reads."""

    document: Any
    lines: list[str] = field(default_factory=list)
    exit_code: int = EXIT_DONE


def print_result(result: CommandResult, *, as_json: bool) -> None:
    """Print a result. A closed pipe is not an error. Raises OperationError when standard output cannot be written."""
    if not result.lines and (not as_json or result.document is None):
        return
    text = json.dumps(result.document, indent=2) if as_json else "\n".join(map(escape_control_characters, result.lines))
    if sys.stdout is None:
        return
    try:
        print_text(text)
    except BrokenPipeError:
        _drop_unwritten(sys.stdout)
    except OSError as error:
        _drop_unwritten(sys.stdout)
        raise OperationError(f"The command ran, but its result could not be printed: {error.strerror}.") from None


def print_text(text: str) -> None:
    """Print on standard output. Escapes the characters that its encoding lacks."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)


def report_error(error: CommandError) -> int:
    """Print an error on one line, and its hint on the next one. Returns the exit code."""
    print_error(f"sluice: {_join_lines(error.message)}")
    if error.hint:
        print_error(f"hint: {_join_lines(error.hint)}")
    return error.exit_code


def print_error(text: str, end: str = "\n") -> None:
    """Print on standard error. Does nothing when standard error is closed."""
    if (listener := _listener.get()) is not None:
        listener(text)
        return
    # A closed standard error is None, and print() would then write to standard output.
    if sys.stderr is None:
        return
    try:
        print(text, end=end, file=sys.stderr, flush=True)
    except OSError:
        _drop_unwritten(sys.stderr)


def _drop_unwritten(stream: TextIO) -> None:
    """Let the stream write nowhere. Otherwise Python tries again at its end, and then exits with 120."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def escape_control_characters(line: str) -> str:
    """Escape what could control a terminal: clients choose some of the printed texts."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in line
    )


def _join_lines(text: str) -> str:
    return escape_control_characters(" ".join(text.split()))


def require_confirmation(stack_name: str, effect: str, typed_name: str | None) -> None:
    """Return when the operator confirms with the stack's name, typed now or given as `typed_name`.

    `effect` completes the sentence "This …". Raises UsageError when the operator does not confirm.
    """
    if typed_name is None and (sys.stdin is None or not sys.stdin.isatty()):
        raise UsageError(f"This {effect}.", f"To confirm without a terminal, give --yes {stack_name}.")
    if typed_name is None:
        print_error(f"This {effect}.\nType the name of the stack, {stack_name}, to continue: ", end="")
        typed_name = _read_line()
    if typed_name != stack_name:
        raise UsageError(f"Nothing was done: {typed_name!r} is not the name of the stack, {stack_name}.")


def _read_line() -> str:
    line = ""
    try:
        line = sys.stdin.readline()
    finally:
        # After Ctrl-C or Ctrl-D, the next output must not continue the line of the question.
        if not line.endswith("\n"):
            print_error("")
    return line.strip()


def format_pairs(pairs: Iterable[tuple[str, str]]) -> list[str]:
    """Names and values, one pair per line, the values aligned."""
    rows = list(pairs)
    width = max((len(name) for name, _ in rows), default=0)
    return [f"{name:{width}}  {value}" for name, value in rows]


def format_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Aligned columns below a header. The last column is not padded."""
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return ["  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def format_count(count: int, singular: str, plural: str = "") -> str:
    """A count with its noun: `1 object`, `2 objects`."""
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def format_batches(count: int) -> str:
    return format_count(count, "batch", "batches")


def format_size(size_bytes: int) -> str:
    """A size in the largest fitting unit."""
    amount = float(size_bytes)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{size_bytes} bytes" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"
