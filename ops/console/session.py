"""What one console knows of its stack: the readers behind its API, and its runs."""

import dataclasses
import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from starlette.concurrency import run_in_threadpool

from ops.aws import Stack
from ops.batches import BATCH_PREFIX, list_quarantined_batches
from ops.commands.executions import find_execution, format_execution
from ops.commands.rejected_writes import list_rejected_writes
from ops.console.batch_lines import list_writes
from ops.console.batch_window import BatchWindowReader
from ops.console.calls import CallMeter
from ops.console.item_history import HistoryReader, ItemSelection
from ops.console.messages import (
    BatchContent,
    ExecutionDetails,
    ItemHistory,
    Progress,
    RejectedWrite,
    Rows,
    StackDescription,
    Timeline,
)
from ops.console.picture import Picture
from ops.console.poller import Poller
from ops.console.runs import Runs, UnknownCommandError
from ops.console.timeline import SHOWN_WORKFLOWS, TimelineReader, describe
from ops.errors import UsageError
from ops.workflows import WORKFLOW_OUTPUTS, has_workflow
from ops.workflows import list_executions as list_workflow_executions

# A month: older batches are found by the commands.
MAX_MINUTES = 31 * 24 * 60
MAX_ROWS = 1_000
MAX_LISTED_EXECUTIONS = 200
SHOWN_WRITES = 200

Value = TypeVar("Value")


class ConsoleSession:
    """The readers and the runs of one console. Its methods raise CommandError, and the exceptions of botocore."""

    def __init__(self, stack: Stack, meter: CallMeter) -> None:
        self._stack = stack
        self._windows = BatchWindowReader(stack)
        self._timeline = TimelineReader(stack, self._windows)
        self._histories = HistoryReader(stack, self._windows)
        self._picture = Picture(stack, meter)
        self._answers: dict[Any, tuple[float, Any]] = {}
        self._answers_lock = threading.Lock()
        self.poller = Poller(
            lambda: run_in_threadpool(self._picture.read), lambda: max(self._picture.next_read_seconds, 0.0)
        )
        self.runs = Runs(stack)
        self.is_closing = False

    async def close(self) -> None:
        """End all streams."""
        self.is_closing = True
        await self.poller.close()

    def describe_stack(self) -> StackDescription:
        commands = [
            command.describe()
            for command in self.runs.commands.values()
            if command.name not in WORKFLOW_OUTPUTS or has_workflow(self._stack, command.name)
        ]
        return StackDescription(
            self._stack.name, self._stack.region, self._stack.is_local, self._picture.refresh_seconds, commands
        )

    def read_timeline(self, minutes: int) -> Timeline:
        window = _limit(minutes, MAX_MINUTES, "minutes")
        # Several tabs share one reading.
        return self._share(("timeline", window), lambda: self._timeline.read(window, self._picture.seen_outages))

    def list_batches(self, minutes: int, state: str) -> Rows:
        """The batches of a window, the latest first; those of one state when it is not empty."""
        timeline = self.read_timeline(minutes)
        rows = [batch for batch in reversed(timeline.batches) if state in {"", batch.state}]
        return Rows(rows[:MAX_ROWS], timeline.is_complete and len(rows) <= MAX_ROWS, timeline.problems)

    def read_batch(self, key: str) -> BatchContent:
        if not key.startswith(BATCH_PREFIX):
            raise UsageError(f"{key} is not the key of a batch.", f"Keys of batches begin with {BATCH_PREFIX}.")
        batch = self._windows.read_batch(key)
        writes, is_complete = (
            list_writes(self._stack, key, SHOWN_WRITES) if batch.state != "quarantined" else ([], True)
        )
        return BatchContent(batch, writes, is_complete)

    def list_rejected_writes(self, limit: int) -> Rows:
        total, writes = list_rejected_writes(self._stack, {}, _limit(limit, MAX_ROWS, "limit"), with_data=False)
        columns = ("version", "collection", "id", "reason", "object_key", "line")
        rows = [RejectedWrite(*(write[name] for name in columns)) for write in writes]
        return Rows(rows, len(rows) >= total)

    def list_quarantine(self) -> Rows:
        return Rows([dataclasses.asdict(batch) for batch in list_quarantined_batches(self._stack)])

    def list_executions(self, workflow: str) -> Rows:
        """The executions of a workflow, the latest first; without a name, of all but load_batch."""
        if workflow and workflow not in WORKFLOW_OUTPUTS:
            raise UsageError(f"There is no workflow {workflow}.", f"There are {', '.join(WORKFLOW_OUTPUTS)}.")
        workflows = [workflow] if workflow else [name for name in SHOWN_WORKFLOWS if has_workflow(self._stack, name)]
        executions = [
            execution
            for name in workflows
            for execution in list_workflow_executions(self._stack, name, limit=MAX_LISTED_EXECUTIONS + 1)
        ]
        executions.sort(key=lambda execution: execution.started, reverse=True)
        rows = [describe(execution) for execution in executions]
        return Rows(rows[:MAX_LISTED_EXECUTIONS], len(rows) <= MAX_LISTED_EXECUTIONS)

    def read_execution(self, workflow: str, name: str) -> ExecutionDetails:
        if workflow not in WORKFLOW_OUTPUTS:
            raise UnknownCommandError(workflow)
        execution = find_execution(self._stack, name, workflow)
        return ExecutionDetails(
            **vars(describe(execution)), input=execution.input, output=execution.output,
            error=execution.error, message=execution.message, lines=format_execution(execution).lines,
        )  # fmt: skip

    def read_history(
        self,
        item: ItemSelection,
        hours: int,
        show_progress: Callable[[Progress], bool] = lambda _: True,
    ) -> ItemHistory:
        return self._histories.read(item, _limit(hours, MAX_MINUTES // 60, "hours"), show_progress)

    def stream_history(self, item: ItemSelection, hours: int) -> Iterator[Progress | ItemHistory]:
        """The progress of the search, and its result. The search ends when nobody reads it any more."""
        messages: queue.Queue[Progress | None] = queue.Queue()
        is_wanted = threading.Event()
        is_wanted.set()

        def show_progress(progress: Progress) -> bool:
            messages.put(progress)
            return is_wanted.is_set() and not self.is_closing

        pool = ThreadPoolExecutor(1)
        search = pool.submit(self.read_history, item, hours, show_progress)
        search.add_done_callback(lambda _: messages.put(None))
        try:
            while (progress := messages.get()) is not None:
                yield progress
            yield search.result()
        finally:
            is_wanted.clear()
            # The server's own thread may close this iterator, and must not wait for the batch that is read.
            pool.shutdown(wait=False)

    def _share(self, question: Any, read: Callable[[], Value]) -> Value:
        """An answer that is as young as the live picture, read once for all who ask meanwhile."""
        with self._answers_lock:
            now = time.monotonic()
            read_at, answer = self._answers.get(question, (float("-inf"), None))
            if now - read_at >= self._picture.refresh_seconds:
                self._answers = {
                    other: entry
                    for other, entry in self._answers.items()
                    if now - entry[0] < self._picture.refresh_seconds
                }
                answer = read()
                self._answers[question] = (time.monotonic(), answer)
            return answer  # type: ignore[no-any-return]


def _limit(number: int, most: int, name: str) -> int:
    if number > most:
        raise UsageError(f"{name} must be at most {most}.")
    return number
