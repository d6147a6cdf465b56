"""Run checks at the same time, and show which are still running."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from ops.aws_errors import AWS_ERRORS, explain_error
from ops.checks import CheckResult, State
from ops.errors import CommandError
from ops.output import is_on_terminal, print_error
from ops.verify.check import Check, NotApplicable
from ops.verify.subject import Subject

LINE_INTERVAL_SECONDS = 15.0


def run_checks(subject: Subject, checks: Sequence[Check]) -> list[CheckResult]:
    """Run the checks at the same time: most of them wait. Returns their results in the order of the checks.

    On Ctrl-C, ends the waits and raises KeyboardInterrupt.
    """
    with ThreadPoolExecutor(max_workers=len(checks)) as executor, _show_progress() as show:
        futures = {executor.submit(_run_check, subject, check): check for check in checks}
        try:
            _watch(futures, show)
        except BaseException:
            subject.stop()
            raise
        return [future.result() for future in futures]


def _watch(futures: dict[Future[CheckResult], Check], show: Callable[[list[str]], None]) -> None:
    running = set(futures)
    while running:
        finished, running = wait(running, timeout=1, return_when=FIRST_COMPLETED)
        for future in finished:
            future.result()  # raises what no check expects
        show([check.name for future, check in futures.items() if future in running])


def _run_check(subject: Subject, check: Check) -> CheckResult:
    state: State = "failed"
    hint = ""
    try:
        message, state = check.run(subject), "ok"
    except NotApplicable as reason:
        message, state = str(reason), "not applicable"
    except (CommandError, *AWS_ERRORS) as error:
        failure = explain_error(error)
        message, hint = failure.message, failure.hint
    return CheckResult(check.name, state, message, hint)


@contextmanager
def _show_progress() -> Iterator[Callable[[list[str]], None]]:
    """What to call with the names of the running checks: a line on a terminal, one now and then elsewhere."""
    if not is_on_terminal():
        next_line_at = time.monotonic() + LINE_INTERVAL_SECONDS

        def print_line(running: list[str]) -> None:
            nonlocal next_line_at
            if running and time.monotonic() >= next_line_at:
                next_line_at += LINE_INTERVAL_SECONDS
                print_error(f"running: {', '.join(running)}")

        yield print_line
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("")
        yield lambda running: progress.update(task, description=f"running: {', '.join(running)}")
