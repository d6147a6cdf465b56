"""Waiting for an execution: a bar with the remaining time on a terminal, a line now and then elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ops.aws import Stack
from ops.aws_errors import explain_aws_error
from ops.errors import OperationError, WaitInterrupted
from ops.output import print_error
from ops.workflows import Execution, describe_execution, list_executions

LINE_INTERVAL_SECONDS = 15.0
POLL_INTERVAL_SECONDS = 1.0

Counts = dict[str, tuple[int, int]]  # batches done, and all of them, by Map Run


def wait_for_execution(stack: Stack, arn: str) -> Execution:
    """Wait until an execution has ended and return it.

    The execution goes on when the waiting ends before it: raises Interrupted on Ctrl-C, and Failure where AWS cannot
    be asked any more.
    """
    again = f"goes on without you; `sluice executions {arn.rsplit(':', 1)[-1]} --wait` waits again."
    ended: Counts = {}
    try:
        found = describe_execution(stack, arn)
        with _show_progress(found) as show:
            while found.status == "RUNNING":
                show(*count_items(stack, found, ended))
                time.sleep(POLL_INTERVAL_SECONDS)
                found = describe_execution(stack, arn)
    except KeyboardInterrupt:
        raise WaitInterrupted(f"It {again}") from None
    except (BotoCoreError, ClientError, ResponseParserError) as error:
        raise OperationError(f"{explain_aws_error(error)[0]} The execution {again}") from None
    return found


def count_items(stack: Stack, execution: Execution, ended: Counts) -> tuple[int, int]:
    """How many batches an execution has finished, and how many it has to do as far as it knows yet.

    Map Runs that have ended are kept in `ended` and not asked for again: a large replay has hundreds.
    """
    client, counts = stack.client("stepfunctions"), dict(ended)
    for one in _find_counted_executions(stack, execution):
        for page in client.get_paginator("list_map_runs").paginate(executionArn=one.arn):
            for run in page["mapRuns"]:
                arn = run["mapRunArn"]
                if arn not in ended:
                    counts[arn] = _read_counts(client.describe_map_run(mapRunArn=arn)["itemCounts"])
                if run.get("stopDate"):
                    ended[arn] = counts[arn]
    return sum(done for done, _ in counts.values()), sum(total for _, total in counts.values())


def _read_counts(found: dict[str, int]) -> tuple[int, int]:
    return sum(found[name] for name in ("succeeded", "failed", "timedOut", "aborted")), found["total"]


def _find_counted_executions(stack: Stack, execution: Execution) -> list[Execution]:
    """The execution whose batches are counted: itself, or the replay that a recovery or a rebuild has started."""
    if execution.workflow not in {"recover", "rebuild"}:
        return [execution]
    return [one for one in list_executions(stack, "replay", "RUNNING", limit=1) if one.started >= execution.started]


class _LineProgress:
    """What is shown where there is no terminal."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._next = time.monotonic() + LINE_INTERVAL_SECONDS

    def __call__(self, done: int, total: int) -> None:
        if time.monotonic() >= self._next:
            self._next += LINE_INTERVAL_SECONDS
            print_error(f"{self._name}: {done} of {total} batches")


class _BarProgress:
    """What is shown on a terminal."""

    def __init__(self, progress: Progress, name: str) -> None:
        self._progress = progress
        self._task = progress.add_task(name, total=None)

    def __call__(self, done: int, total: int) -> None:
        self._progress.update(self._task, completed=done, total=total or None)


@contextmanager
def _show_progress(execution: Execution) -> Iterator[_LineProgress | _BarProgress]:
    if sys.stderr is None or not sys.stderr.isatty():
        yield _LineProgress(execution.name)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    remaining = (TextColumn("remaining"), TimeRemainingColumn())
    with Progress(*columns, *remaining, console=Console(stderr=True), transient=True) as progress:
        yield _BarProgress(progress, execution.workflow)
