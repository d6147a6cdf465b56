"""Wait for an execution and show its progress: a bar on a terminal, a line now and then elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ops.aws import Stack
from ops.aws_errors import AWS_ERRORS, explain_aws_error
from ops.errors import OperationError, WaitInterrupted
from ops.output import is_on_terminal, print_error
from ops.workflows import Execution, describe_execution, get_execution_name, list_executions

LINE_INTERVAL_SECONDS = 15.0
POLL_INTERVAL_SECONDS = 1.0

MapRunCounts = dict[str, tuple[int, int]]  # by ARN of the Map Run: finished batches, all batches


def wait_for_execution(stack: Stack, arn: str) -> Execution:
    """Wait until an execution ends, and return it.

    The execution continues when the wait ends first: raises WaitInterrupted on Ctrl-C, and OperationError when AWS
    cannot be reached any more.
    """
    hint = f"`sluice executions {get_execution_name(arn)} --wait` waits for it again."
    finished_runs: MapRunCounts = {}
    try:
        execution = describe_execution(stack, arn)
        with _show_progress(execution) as show:
            steps = _StepLines(stack, execution)
            while execution.status == "RUNNING":
                steps.show_new_step()
                show(*count_items(stack, execution, finished_runs))
                time.sleep(POLL_INTERVAL_SECONDS)
                execution = describe_execution(stack, arn)
    except KeyboardInterrupt:
        raise WaitInterrupted("Interrupted; the execution continues.", hint) from None
    except AWS_ERRORS as error:
        raise OperationError(f"{explain_aws_error(error).message} The execution continues.", hint) from None
    return execution


def count_items(stack: Stack, execution: Execution, finished_runs: MapRunCounts) -> tuple[int, int]:
    """The batches that an execution has finished, and all batches that it knows of so far.

    `finished_runs` caches the counts of Map Runs that have ended, so that they are read once: a large replay has
    hundreds of them.
    """
    client, counts = stack.client("stepfunctions"), dict(finished_runs)
    for replay in _find_counted_executions(stack, execution):
        for page in client.get_paginator("list_map_runs").paginate(executionArn=replay.arn):
            for run in page["mapRuns"]:
                arn = run["mapRunArn"]
                if arn not in finished_runs:
                    counts[arn] = _read_counts(client.describe_map_run(mapRunArn=arn)["itemCounts"])
                if run.get("stopDate"):
                    finished_runs[arn] = counts[arn]
    return sum(finished for finished, _ in counts.values()), sum(total for _, total in counts.values())


def _read_counts(item_counts: dict[str, int]) -> tuple[int, int]:
    return sum(item_counts[name] for name in ("succeeded", "failed", "timedOut", "aborted")), item_counts["total"]


def _find_counted_executions(stack: Stack, execution: Execution) -> list[Execution]:
    """The execution whose batches count: itself, or the replay that a recovery, a rebuild or a restore has started."""
    if execution.workflow not in {"recover", "rebuild", "restore"}:
        return [execution]
    replays = list_executions(stack, "replay", "RUNNING", limit=1)
    return [replay for replay in replays if replay.started >= execution.started]


class _StepLines:
    """The steps of a workflow that waits for RDS most of the time, a line for each: it has no batches to count then."""

    _STEPS: ClassVar[dict[str, dict[str, str]]] = {
        "restore": {
            "PreparePrimary": "making the new primary",
            "ConfigurePrimary": "giving the new primary its settings",
            "PutLostAside": "renaming the lost primary",
            "TakeIdentifier": "giving the new primary its identifier",
            "SetPassword": "setting the password of the admin",
            "Migrate": "migrating the new primary",
            "Recover": "replaying the missing batches",
            "ReplaceReplica": "replacing a replica",
            "CheckHealth": "checking the new database",
        },
        "prove_backup": {
            "Begin": "restoring the newest snapshot",
            "SetPassword": "setting the password of the admin",
            "Migrate": "migrating the copy",
            "Read": "reading the live database",
            "Load": "loading the batches that the copy lacks",
            "Compare": "comparing the tables",
            "Delete": "deleting the temporary instance",
        },
    }

    def __init__(self, stack: Stack, execution: Execution) -> None:
        self._stack, self._execution = stack, execution
        self._steps = self._STEPS.get(execution.workflow, {})
        self._step = ""

    def show_new_step(self) -> None:
        """Print the step that the workflow has begun, once."""
        if not self._steps:
            return
        history = self._stack.client("stepfunctions").get_execution_history(
            executionArn=self._execution.arn, reverseOrder=True, maxResults=50
        )
        entered = (event.get("stateEnteredEventDetails", {}).get("name") for event in history["events"])
        step = next((self._steps[name] for name in entered if name in self._steps), "")
        if step and step != self._step:
            self._step = step
            print_error(f"{self._execution.name}: {step}")


class _LineProgress:
    """Progress without a terminal: a line now and then."""

    def __init__(self, execution: Execution) -> None:
        # A proof has no batches that can be counted from outside: its steps are its progress.
        self._name, self._counts = execution.name, execution.workflow != "prove_backup"
        self._next_line_at = time.monotonic() + LINE_INTERVAL_SECONDS

    def __call__(self, finished: int, total: int) -> None:
        if self._counts and time.monotonic() >= self._next_line_at:
            self._next_line_at += LINE_INTERVAL_SECONDS
            print_error(f"{self._name}: {finished} of {total} batches")


class _BarProgress:
    """Progress on a terminal: a bar with the remaining time."""

    def __init__(self, progress: Progress, name: str) -> None:
        self._progress = progress
        self._task = progress.add_task(name, total=None)

    def __call__(self, finished: int, total: int) -> None:
        self._progress.update(self._task, completed=finished, total=total or None)


@contextmanager
def _show_progress(execution: Execution) -> Iterator[_LineProgress | _BarProgress]:
    if not is_on_terminal():
        yield _LineProgress(execution)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    remaining = (TextColumn("remaining"), TimeRemainingColumn())
    with Progress(*columns, *remaining, console=Console(stderr=True), transient=True) as progress:
        yield _BarProgress(progress, execution.workflow)
