"""The live picture: the status of the stack, its rates and its alarms, each read as often as it changes."""

import datetime
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from ops.aws import Stack
from ops.aws_errors import AWS_ERRORS, AwsError, explain_error
from ops.commands.status import read_status
from ops.console.alarms import list_alarms
from ops.console.calls import CallMeter
from ops.console.messages import Alarm, Outage, Problem, Rates, Snapshot, Waiting
from ops.console.rates import read_rates
from ops.errors import CommandError
from ops.replicas import is_serving
from ops.times import format_time

# How often the status is read. On AWS the calls cost money, and CloudWatch has new values once a minute only.
LOCAL_SECONDS, AWS_SECONDS = 2.0, 15.0
METRICS_SECONDS = 60.0
# The largest share of the time that reading the status takes: to list millions of batches takes minutes.
MAX_SHARE = 0.25
MAX_SEEN_OUTAGES = 100

Value = TypeVar("Value")


class Picture:
    """Reads the live picture of one stack, for one thread at a time: a read goes on when its tab is closed."""

    def __init__(self, stack: Stack, meter: CallMeter) -> None:
        self._stack = stack
        self._meter = meter
        self._lock = threading.Lock()
        self.refresh_seconds = LOCAL_SECONDS if stack.is_local else AWS_SECONDS
        self._metrics_seconds = LOCAL_SECONDS if stack.is_local else METRICS_SECONDS
        self._metrics_read_at = float("-inf")
        self._rates = Rates()
        self._alarms: list[Alarm] = []
        self._metric_problems: list[Problem] = []
        self._outages: dict[str, Outage] = {}  # those that last, by kind
        self._ended_outages: list[Outage] = []
        self.next_read_seconds = self.refresh_seconds

    @property
    def seen_outages(self) -> list[Outage]:
        """The outages that were seen while the picture was read, the oldest first."""
        return sorted([*self._ended_outages, *self._outages.values()], key=lambda outage: outage.from_)

    def read(self) -> Snapshot:
        """Read the picture. What cannot be read is a problem in it. Raises nothing that AWS or the stack cause."""
        with self._lock:
            return self._read()

    def _read(self) -> Snapshot:
        started_at, now = time.monotonic(), datetime.datetime.now(datetime.UTC)
        problems: list[Problem] = []
        status = attempt(lambda: read_status(self._stack), problems)
        seconds = time.monotonic() - started_at
        self.next_read_seconds = max(self.refresh_seconds - seconds, seconds / MAX_SHARE - seconds)
        if started_at - self._metrics_read_at >= self._metrics_seconds:
            self._metrics_read_at = started_at
            self._read_metrics(now)
        if status:
            self._observe(status, format_time(now))
        return Snapshot(
            at=format_time(now),
            status=status,
            rates=self._rates,
            lag_seconds=status["lag_seconds"] if status else None,
            waiting=_describe_waiting(status),
            alarms=self._alarms,
            calls=self._meter.summarize(),
            problems=[*problems, *self._metric_problems],
        )

    def _read_metrics(self, now: datetime.datetime) -> None:
        self._metric_problems = []
        self._rates = attempt(lambda: read_rates(self._stack, now), self._metric_problems) or Rates()
        self._alarms = attempt(lambda: list_alarms(self._stack), self._metric_problems) or []

    def _observe(self, status: dict[str, Any], now: str) -> None:
        """Note when an outage begins and when it ends."""
        primary = status["primary"]
        states = {"primary": primary["accepts_writes"]}
        states |= {replica["name"]: is_serving(primary, replica) for replica in status["replicas"]}
        for kind, is_up in states.items():
            if not is_up and kind not in self._outages:
                self._outages[kind] = Outage(now, None, kind)
            elif is_up and (outage := self._outages.pop(kind, None)):
                self._ended_outages.append(Outage(outage.from_, now, outage.kind))
                del self._ended_outages[:-MAX_SEEN_OUTAGES]


def attempt(read: Callable[[], Value], problems: list[Problem]) -> Value | None:
    """What `read` returns; None, and a problem more, when AWS or the stack make it fail."""
    try:
        return read()
    except (CommandError, *AWS_ERRORS) as error:
        problems.append(describe_problem(error))
        return None


def describe_problem(error: CommandError | AwsError) -> Problem:
    """An error of a command or of AWS, as the command line would report it."""
    failure = explain_error(error)
    return Problem(failure.message, failure.hint)


def _describe_waiting(status: dict[str, Any] | None) -> Waiting | None:
    pending = status["pending"] if status else None
    return Waiting(pending["batches"], pending["bytes"], pending["age_seconds"]) if pending else None
