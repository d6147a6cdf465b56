"""How CloudWatch decides on the state of a metric alarm from its data points.

Sources, all in the CloudWatch user guide: "Alarm evaluation" and "Configuring how CloudWatch alarms treat missing
data" for M out of N, the evaluation range and premature transitions; "Alarm evaluation window" for windows that slide.
The guide says that CloudWatch reads more points than `EvaluationPeriods`, and shows five for three periods. It does not
say how many for other alarms; here it is always two more.
"""

import dataclasses
import operator
from collections.abc import Callable, Sequence
from typing import Any

EXTRA_POINTS = 2

_COMPARISONS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}
_GROWING_STATISTICS = {"Sum", "Maximum", "SampleCount"}


@dataclasses.dataclass(frozen=True)
class Rule:
    """What an alarm compares: M (`needed`) out of N (`periods`) points of `period` seconds with the threshold."""

    periods: int
    needed: int
    period: int
    threshold: float
    comparison: str
    treat_missing: str

    @property
    def count(self) -> int:
        """How many periods the evaluation range has."""
        return self.periods + EXTRA_POINTS

    def is_breaching(self, value: float) -> bool:
        return _COMPARISONS[self.comparison][0](value, self.threshold)


def read_rule(alarm: dict[str, Any]) -> Rule:
    periods = int(alarm.get("EvaluationPeriods") or 1)
    return Rule(
        periods=periods,
        needed=int(alarm.get("DatapointsToAlarm") or periods),
        period=get_period(alarm),
        threshold=float(alarm.get("Threshold") or 0),
        comparison=alarm["ComparisonOperator"],
        treat_missing=alarm.get("TreatMissingData") or "missing",
    )


def get_period(alarm: dict[str, Any]) -> int:
    """The period of an alarm in seconds. With metric math, all its metrics must have the same period."""
    queries = alarm.get("Metrics")
    if not queries:
        return int(alarm.get("Period") or 60)
    return int(next(query["MetricStat"]["Period"] for query in queries if "MetricStat" in query))


def can_only_worsen(alarm: dict[str, Any]) -> bool:
    """Whether a period that breaches before its end will breach at its end, if its values are not negative.

    Such an alarm may fire before the period ends, and is never wrong.
    """
    return alarm.get("Statistic") in _GROWING_STATISTICS and alarm["ComparisonOperator"].startswith("GreaterThan")


def judge_points(rule: Rule, points: Sequence[float | None], state: str) -> str:
    """Return the next state from the points of the evaluation range, the oldest first; None is a missing point."""
    newest_first = [(age, value) for age, value in enumerate(reversed(points), 1) if value is not None]
    evaluated = newest_first[: rule.periods]
    breaching = [age for age, value in evaluated if rule.is_breaching(value)]
    missing = rule.periods - len(evaluated)
    if rule.treat_missing == "breaching":
        return "ALARM" if len(breaching) + missing >= rule.needed else "OK"
    if len(breaching) >= rule.needed:
        return "ALARM"
    if not missing or rule.treat_missing == "notBreaching" or len(breaching) < len(evaluated):
        return "OK"
    # From here points are missing, and all others breach.
    if rule.treat_missing == "ignore":
        return state
    is_old_enough = bool(breaching) and breaching[-1] >= rule.needed
    return "ALARM" if is_old_enough else "INSUFFICIENT_DATA"


def describe_change(rule: Rule, points: Sequence[float | None], old: str, new: str) -> str:
    """The reason for a new state, in the form of CloudWatch's."""
    values = [value for value in points if value is not None][-rule.periods :]
    missing = rule.periods - len(values)
    if new == "INSUFFICIENT_DATA":
        return f"Insufficient Data: {missing} datapoints were unknown."
    breaching = [value for value in values if rule.is_breaching(value)]
    shown = ", ".join(f"{value:g}" for value in (breaching if new == "ALARM" else values))
    if not shown:
        treated = "Breaching" if new == "ALARM" else "NonBreaching"
        noun = "datapoint" if missing == 1 else "datapoints"
        return (
            f"Threshold Crossed: no datapoints were received for {rule.periods} "
            f"{'period' if rule.periods == 1 else 'periods'} and {missing} missing {noun} "
            f"{'was' if missing == 1 else 'were'} treated as [{treated}]."
        )
    count = len(breaching) if new == "ALARM" else len(values) - len(breaching)
    verb = "was" if count == 1 else "were"
    negation = "" if new == "ALARM" else "not "
    return (
        f"Threshold Crossed: {count} out of the last {len(values)} datapoints [{shown}] {verb} {negation}"
        f"{_COMPARISONS[rule.comparison][1]} the threshold ({rule.threshold:g}) "
        f"(minimum {rule.needed} datapoint{'s' if rule.needed > 1 else ''} for {old} -> {new} transition)."
    )
