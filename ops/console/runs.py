"""Run commands for the page: a dry run first, then the stack's name, and each line as it is printed."""

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from ops.aws import Stack
from ops.aws_errors import AWS_ERRORS, explain_error
from ops.console.command_list import PageCommand, build_commands
from ops.console.messages import CommandRequest, RunEnd, RunLine
from ops.errors import CommandError, OperationError
from ops.output import CommandResult, divert_errors, escape_control_characters, report_error

# A dry run older than this says too little about now.
DRY_RUN_SECONDS = 900.0
MAX_RUNS = 100
MAX_LINES = 10_000


class RefusedError(Exception):
    """The command may not run now. `message` says why, `hint` what is missing."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


class UnknownCommandError(Exception):
    """There is no such command or run."""


class Run:
    """One run of a command: its lines so far, and its end."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._end: RunEnd | None = None
        self._changed = threading.Condition()

    @property
    def is_ended(self) -> bool:
        return self._end is not None

    def add_text(self, text: str) -> None:
        for line in text.splitlines():
            self.add_line(line)

    def add_line(self, text: str) -> None:
        with self._changed:
            if len(self._lines) < MAX_LINES:
                self._lines.append(escape_control_characters(text))
                self._changed.notify_all()

    def end(self, exit_code: int, report: Any) -> None:
        with self._changed:
            self._end = RunEnd(exit_code, report)
            self._changed.notify_all()

    def read_after(self, position: int, seconds: float) -> list[RunLine | RunEnd]:
        """The lines after a position, and the end. Waits for one of them, for at most `seconds`."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._lines) > position or self._end is not None, seconds)
            messages: list[RunLine | RunEnd] = [RunLine(text) for text in self._lines[position:]]
            return [*messages, *([self._end] if self._end else [])]


class Runs:
    """Starts commands on one stack, and keeps the latest runs."""

    def __init__(self, stack: Stack, clock: Callable[[], float] = time.monotonic) -> None:
        self._stack = stack
        self._clock = clock
        self._lock = threading.Lock()
        self._runs: dict[str, Run] = {}
        self._dry_runs: dict[str, float] = {}  # when each ended, by command and arguments
        self.commands = build_commands()

    def start(self, name: str, request: CommandRequest) -> str:
        """Start a command in a thread of its own. Returns the id of the run.

        Raises UnknownCommandError, RefusedError, and UsageError for its arguments.
        """
        command = self.commands.get(name)
        if command is None:
            raise UnknownCommandError(name)
        if request.dry_run and not command.has_dry_run:
            raise RefusedError(f"{name} has no dry run.", "")
        # Parsed before anything is refused: a wrong argument is the first thing to correct.
        arguments = command.parse(request.arguments, dry_run=request.dry_run, confirmation=request.confirmation)
        identity = json.dumps([name, request.arguments], sort_keys=True)
        if not request.dry_run:
            self._require_confirmation(command, request.confirmation)
            self._use_dry_run(command, identity)
        run, run_id = Run(), secrets.token_hex(8)
        with self._lock:
            for old in list(self._runs)[: max(0, len(self._runs) - MAX_RUNS + 1)]:
                del self._runs[old]
            self._runs[run_id] = run

        def execute() -> None:
            result = _run_command(lambda: command.module.run(self._stack, arguments), run)
            if request.dry_run and result.exit_code == 0:
                with self._lock:
                    self._dry_runs[identity] = self._clock()
            run.end(result.exit_code, result.document)

        threading.Thread(target=execute, name=f"run {name}", daemon=True).start()
        return run_id

    def find(self, run_id: str) -> Run:
        """The run with an id. Raises UnknownCommandError."""
        with self._lock:
            if run_id not in self._runs:
                raise UnknownCommandError(run_id)
            return self._runs[run_id]

    def _use_dry_run(self, command: PageCommand, identity: str) -> None:
        """Use up the dry run of these arguments: it permits one run."""
        if not command.has_dry_run:
            return
        with self._lock:
            ended_at = self._dry_runs.pop(identity, None)
        if ended_at is None or self._clock() - ended_at > DRY_RUN_SECONDS:
            raise RefusedError(
                f"{command.name} was not tried with these arguments in the latest 15 minutes.", "Make a dry run first."
            )

    def _require_confirmation(self, command: PageCommand, confirmation: str) -> None:
        if command.is_destructive and confirmation != self._stack.name:
            raise RefusedError(
                f"{command.name} cannot be undone.", f"Type the name of the stack, {self._stack.name}, to confirm."
            )


def _run_command(run_command: Callable[[], CommandResult], run: Run) -> CommandResult:
    """Run a command as the command line does, with its lines and errors as lines of the run."""
    with divert_errors(run.add_text):
        try:
            result = run_command()
        except (CommandError, *AWS_ERRORS) as error:
            return CommandResult(None, exit_code=report_error(explain_error(error)))
        except Exception as error:  # noqa: BLE001  a defect must end the run, or the page would wait for ever
            return CommandResult(None, exit_code=report_error(OperationError(f"{type(error).__name__}: {error}")))
    for line in result.lines:
        run.add_line(line)
    return result


def iterate_messages(run: Run, is_closing: Callable[[], bool]) -> Iterator[RunLine | RunEnd | None]:
    """The lines and the end of a run as they come; None where nothing came for a second."""
    position = 0
    while not is_closing():
        messages = run.read_after(position, 1.0)
        if not messages:
            yield None
        for message in messages:
            yield message
            if isinstance(message, RunEnd):
                return
            position += 1
