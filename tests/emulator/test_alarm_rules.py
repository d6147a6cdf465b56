"""The tables of CloudWatch's user guide ("Configuring how CloudWatch alarms treat missing data").

0 is a point within the threshold, X one that breaches it, - a missing one; the newest point is the last.
"""

import pytest

from local.emulator.cloudwatch.alarm_rules import can_only_worsen, describe_change, judge_points, read_rule

TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")
THREE_OF_THREE = {
    "0 - X - X": ("OK", "OK", "OK", "OK"),
    "0 - - - -": ("OK", "OK", "OK", "OK"),
    "- - - - -": ("INSUFFICIENT_DATA", "kept", "ALARM", "OK"),
    "0 X X - X": ("ALARM", "ALARM", "ALARM", "ALARM"),
    "- - - - X": ("INSUFFICIENT_DATA", "kept", "ALARM", "OK"),
    "X - - - -": ("ALARM", "kept", "ALARM", "OK"),
    "- - X - -": ("ALARM", "kept", "ALARM", "OK"),
    "X X 0 X X": ("OK", "OK", "OK", "OK"),
    "0 0 X X X": ("ALARM", "ALARM", "ALARM", "ALARM"),
}
TWO_OF_THREE = {
    "0 - X - X": ("ALARM", "ALARM", "ALARM", "ALARM"),
    "0 0 X 0 X": ("ALARM", "ALARM", "ALARM", "ALARM"),
    "0 - X - -": ("OK", "OK", "ALARM", "OK"),
    "- - - - 0": ("OK", "OK", "ALARM", "OK"),
    "- - - X -": ("ALARM", "kept", "ALARM", "OK"),
    "X X 0 0 X": ("OK", "OK", "OK", "OK"),
}
CASES = [
    (needed, points, treatment, state)
    for needed, table in ((3, THREE_OF_THREE), (2, TWO_OF_THREE))
    for points, states in table.items()
    for treatment, state in zip(TREATMENTS, states, strict=True)
]


def build_alarm(**changes: object) -> dict[str, object]:
    alarm = {
        "Period": 300,
        "EvaluationPeriods": 3,
        "Threshold": 5,
        "ComparisonOperator": "GreaterThanThreshold",
        "Statistic": "Sum",
    }
    return {**alarm, **changes}


def read_values(points: str) -> list[float | None]:
    return [{"0": 5.0, "X": 5.5, "-": None}[sign] for sign in points.split()]


@pytest.mark.parametrize(("needed", "points", "treatment", "state"), CASES)
def test_a_state_follows_from_the_points_and_the_treatment_of_missing_ones(
    needed: int, points: str, treatment: str, state: str
) -> None:
    rule = read_rule(build_alarm(DatapointsToAlarm=needed, TreatMissingData=treatment))
    assert rule.count == 5
    assert judge_points(rule, read_values(points), "kept") == state


@pytest.mark.parametrize(
    ("comparison", "breaching"),
    [
        ("GreaterThanThreshold", [False, False, True]),
        ("GreaterThanOrEqualToThreshold", [False, True, True]),
        ("LessThanThreshold", [True, False, False]),
        ("LessThanOrEqualToThreshold", [True, True, False]),
    ],
)
def test_an_operator_compares_with_the_threshold(comparison: str, breaching: list[bool]) -> None:
    rule = read_rule(build_alarm(ComparisonOperator=comparison))
    assert [rule.is_breaching(value) for value in (4.0, 5.0, 6.0)] == breaching


def test_only_a_sum_or_a_maximum_above_a_threshold_is_certain_before_the_end_of_its_period() -> None:
    assert can_only_worsen(build_alarm())
    assert can_only_worsen(build_alarm(Statistic="Maximum"))
    assert not can_only_worsen(build_alarm(Statistic="Average"))
    assert not can_only_worsen(build_alarm(ComparisonOperator="LessThanThreshold"))
    assert not can_only_worsen({**build_alarm(), "Statistic": None, "ExtendedStatistic": "p90"})


def test_the_period_of_an_alarm_on_metric_math_is_that_of_its_metrics() -> None:
    queries = [{"Id": "e", "Expression": "m"}, {"Id": "m", "MetricStat": {"Period": 60}, "ReturnData": False}]
    assert read_rule(build_alarm(Period=None, Metrics=queries)).period == 60


def test_a_change_is_explained_as_cloudwatch_does() -> None:
    rule = read_rule(build_alarm(TreatMissingData="notBreaching"))
    assert describe_change(rule, read_values("0 0 X X X"), "OK", "ALARM") == (
        "Threshold Crossed: 3 out of the last 3 datapoints [5.5, 5.5, 5.5] were greater than the threshold (5) "
        "(minimum 3 datapoints for OK -> ALARM transition)."
    )
    assert "no datapoints were received for 3 periods" in describe_change(rule, read_values("- - - - -"), "ALARM", "OK")
    assert describe_change(rule, read_values("- - - - X"), "OK", "INSUFFICIENT_DATA") == (
        "Insufficient Data: 2 datapoints were unknown."
    )
