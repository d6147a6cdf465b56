"""The timeline of a window: batches, executions of the workflows, rates, and the outages that they show."""

import datetime
import time
from collections.abc import Iterable

from ops.aws import Stack
from ops.console.batch_window import BatchWindowReader
from ops.console.messages import Batch, Execution, Outage, RatePoint, Timeline
from ops.console.picture import LOCAL_SECONDS, METRICS_SECONDS, attempt
from ops.console.rates import read_rate_points
from ops.times import format_time
from ops.workflows import WORKFLOW_OUTPUTS, has_workflow, list_executions
from ops.workflows import Execution as WorkflowExecution

# Executions of each workflow that are read, the latest ones. load_batch has one for each batch, which is shown instead.
MAX_EXECUTIONS = 100
SHOWN_WORKFLOWS = tuple(workflow for workflow in WORKFLOW_OUTPUTS if workflow != "load_batch")
# A load begins seconds after its batch is delivered. One that took longer waited for the database.
MAX_LOAD_SECONDS = 30.0


class TimelineReader:
    """Reads the timeline of one stack."""

    def __init__(self, stack: Stack, windows: BatchWindowReader) -> None:
        self._stack = stack
        self._windows = windows
        self._rates: dict[int, tuple[float, list[RatePoint]]] = {}  # by minutes: when they were read

    def read(self, minutes: int, seen_outages: Iterable[Outage]) -> Timeline:
        """The timeline of the latest minutes. `seen_outages` are those that the console saw itself.

        Raises CommandError, and the exceptions of botocore.
        """
        now = datetime.datetime.now(datetime.UTC)
        begins = now - datetime.timedelta(minutes=minutes)
        window = self._windows.read(begins)
        executions = list_window_executions(self._stack, begins)
        problems = list(window.problems)
        rates = attempt(lambda: self._read_rates(minutes, begins, now), problems) or []
        rebuilds = [execution for execution in executions if execution.workflow == "rebuild"]
        seen = [outage for outage in seen_outages if outage.to is None or outage.to >= format_time(begins)]
        return Timeline(
            format_time(begins), format_time(now), window.batches, executions,
            [*seen, *find_waits(window.batches, rebuilds, now)], rates, window.is_complete, problems,
        )  # fmt: skip

    def _read_rates(self, minutes: int, begins: datetime.datetime, now: datetime.datetime) -> list[RatePoint]:
        """The rates of a window, as young as CloudWatch's metrics are: each reading costs."""
        read_at, points = self._rates.get(minutes, (float("-inf"), []))
        if time.monotonic() - read_at >= (LOCAL_SECONDS if self._stack.is_local else METRICS_SECONDS):
            points = read_rate_points(self._stack, begins, now)
            self._rates = {minutes: (time.monotonic(), points)}
        return points


def list_window_executions(stack: Stack, begins: datetime.datetime) -> list[Execution]:
    """The executions that ran in a window, the oldest first."""
    executions = [
        execution
        for workflow in SHOWN_WORKFLOWS
        if has_workflow(stack, workflow)
        for execution in list_executions(stack, workflow, limit=MAX_EXECUTIONS)
        if execution.ended is None or execution.ended >= begins
    ]
    return [describe(execution) for execution in sorted(executions, key=lambda execution: execution.started)]


def describe(execution: WorkflowExecution) -> Execution:
    """The message for an execution."""
    ended_at = format_time(execution.ended) if execution.ended else None
    return Execution(execution.workflow, execution.name, execution.status, format_time(execution.started), ended_at)  # type: ignore[arg-type]


def find_waits(batches: Iterable[Batch], rebuilds: Iterable[Execution], now: datetime.datetime) -> list[Outage]:
    """The times in which batches waited for the database longer than a load takes, joined where they overlap.

    A batch that a rebuild loaded did not wait: the rebuild loads all of them into new tables.
    """
    rebuilt = [(rebuild.started_at, rebuild.ended_at or "~") for rebuild in rebuilds]
    waits: list[Outage] = []
    for batch in sorted(batches, key=lambda batch: batch.delivered_at):
        ends = batch.loaded_at or format_time(now)
        is_waiting = batch.state in {"pending", "parked"}
        if batch.state != "loaded" and not is_waiting:
            continue
        if batch.loaded_at and any(begins <= batch.loaded_at <= until for begins, until in rebuilt):
            continue
        if _count_seconds(batch.delivered_at, ends) < MAX_LOAD_SECONDS:
            continue
        wait = Outage(batch.delivered_at, None if is_waiting else ends, "batches")
        if waits and (waits[-1].to is None or wait.from_ <= waits[-1].to):
            last = waits.pop()
            to = None if last.to is None or wait.to is None else max(last.to, wait.to)
            wait = Outage(last.from_, to, "batches")
        waits.append(wait)
    return waits


def _count_seconds(begins: str, ends: str) -> float:
    return (datetime.datetime.fromisoformat(ends) - datetime.datetime.fromisoformat(begins)).total_seconds()
