"""Alarms on the service levels, which the canary measures, and on the canary itself.

A level is good in a minute without a failure. Its objective leaves a share of bad minutes: the error budget, of 30
days. An alarm counts the bad minutes of a window: more than the budget allows when it is spent at a multiple of the
speed at which it lasts 30 days (the burn rate). See docs/adr/0144-alarm-on-bad-minutes-in-two-windows.md.
"""

import math
from dataclasses import dataclass

from tools.monitoring import metrics, runbooks
from tools.monitoring.model import Alarm, CompositeAlarm, Mapped, Metric

BURN_MAPPING = "BurnMinutes"
"""The mapping of the template: objective and window to bad minutes."""


@dataclass(frozen=True)
class Window:
    """The last minutes, the burn rate that is too fast for them, and the fewest bad minutes that count."""

    name: str
    minutes: int
    burn_rate: float
    least: int

    def count_bad_minutes(self, objective: float) -> int:
        """How many bad minutes burn the budget of an objective (in percent) at the rate."""
        return max(self.least, math.ceil(round(self.burn_rate * (100 - objective) / 100 * self.minutes, 9)))


# The windows and rates of Google's "Site Reliability Workbook", chapter 5: 2% of the budget in an hour, 5% in six. The
# long window says that it matters, the short one that it still goes on. One failed request of the canary never alarms.
HOUR = Window("Hour", 60, 14.4, 2)
FIVE_MINUTES = Window("FiveMinutes", 5, 14.4, 1)
SIX_HOURS = Window("SixHours", 360, 6, 3)
HALF_HOUR = Window("HalfHour", 30, 6, 1)
WINDOWS = (HOUR, FIVE_MINUTES, SIX_HOURS, HALF_HOUR)


@dataclass(frozen=True, kw_only=True)
class ServiceLevel:
    """A service level: the metric whose values above 0 make a minute bad, and the parameter with the objective.

    `bad_minute` tells what happened in such a minute, `says` what the composite alarm says.
    """

    name: str
    failures: Metric
    runbook: str
    bad_minute: str
    says: str

    @property
    def objective(self) -> str:
        return f"{self.name}Objective"


LEVELS = (
    ServiceLevel(
        name="Writes",
        failures=metrics.CANARY_WRITES_FAILED,
        runbook=runbooks.WRITES_NOT_ACCEPTED,
        bad_minute="the API did not accept the canary's write",
        says=(
            "The API does not accept the canary's writes, so most likely not those of clients, and the error budget of "
            "WritesObjective is used up too fast."
        ),
    ),
    ServiceLevel(
        name="Reads",
        failures=metrics.CANARY_READS_FAILED,
        runbook=runbooks.READS_NOT_ANSWERED,
        bad_minute="the API did not answer a read of the canary",
        says=(
            "The API does not answer the canary's reads, so most likely not those of clients, and the error budget of "
            "ReadsObjective is used up too fast."
        ),
    ),
    ServiceLevel(
        name="Waits",
        failures=metrics.CANARY_WAITS_FAILED,
        runbook=runbooks.READABLE_TOO_LATE,
        bad_minute="a write of the canary was not readable in time",
        says=(
            "Accepted writes are readable later than ReadableSeconds after the buffers, and the error budget of "
            "WaitsObjective is used up too fast. No write is lost."
        ),
    ),
)


def _name_part(level: ServiceLevel, window: Window) -> str:
    return f"{level.name}{window.name}Alarm"


_PARTS = tuple(
    Alarm(
        name=_name_part(level, window),
        says=(
            f"In more of the last {window.minutes} minutes than {level.objective} allows, {level.bad_minute}. "
            f"{level.name}BurnAlarm notifies."
        ),
        runbook=level.runbook,
        watches=level.failures.of_stack("Sum"),
        periods=window.minutes,
        needed=Mapped(BURN_MAPPING, level.objective, window.name),
        condition="CanaryScheduled",
        is_part=True,
    )
    for level in LEVELS
    for window in WINDOWS
)

CANARY_ALARMS = (
    Alarm(
        name="CanaryMissingAlarm",
        says=(
            "The canary has measured nothing for 15 minutes, so no service level would notify. The log of "
            "CanaryFunction names the reason, most likely that it gets no access token."
        ),
        runbook=runbooks.CANARY_NOT_MEASURING,
        watches=metrics.CANARY_WRITES.of_stack("SampleCount", 300),
        comparison="below",
        threshold=1,
        periods=3,
        missing="breach",
        reports_end=True,
        condition="CanaryScheduled",
    ),
    Alarm(
        name="CanaryFunctionErrorsAlarm",
        says=(
            "CanaryFunction has failed for 15 minutes, so it does not measure. Its log names the error, most likely "
            "that it gets no access token."
        ),
        runbook=runbooks.CANARY_NOT_MEASURING,
        watches=metrics.FUNCTION_ERRORS.of("CanaryFunction", "Sum", 300),
        periods=3,
        condition="CanaryDeployed",
    ),
    Alarm(
        name="CanaryFunctionThrottlesAlarm",
        says=(
            "CanaryFunction has been throttled for 15 minutes, so it does not measure. The account's concurrency is "
            "used up."
        ),
        runbook=runbooks.CANARY_NOT_MEASURING,
        watches=metrics.FUNCTION_THROTTLES.of("CanaryFunction", "Sum", 300),
        periods=3,
        condition="CanaryDeployed",
    ),
)

ALARMS = (*_PARTS, *CANARY_ALARMS)

COMPOSITE_ALARMS = tuple(
    CompositeAlarm(
        name=f"{level.name}BurnAlarm",
        says=level.says,
        runbook=level.runbook,
        groups=(
            (_name_part(level, HOUR), _name_part(level, FIVE_MINUTES)),
            (_name_part(level, SIX_HOURS), _name_part(level, HALF_HOUR)),
        ),
        condition="CanaryScheduled",
    )
    for level in LEVELS
)
