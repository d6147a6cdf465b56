"""Alarms are evaluated as CloudWatch evaluates them, and send events to EventBridge. A minute lasts half a second."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from testkit.emulator_harness import Emulator, deploy_stack, start_emulator, wait_until

PRINCIPALS = ["states.amazonaws.com", "events.amazonaws.com"]
ALARM = {
    "Namespace": "AWS/States",
    "MetricName": "ExecutionsFailed",
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 0,
    "ComparisonOperator": "GreaterThanThreshold",
    "TreatMissingData": "notBreaching",
}
MINUTE_SECONDS = 0.5
FAILING = {"StartAt": "Fails", "States": {"Fails": {"Type": "Fail", "Error": "Failed"}}}
PASSING = {"StartAt": "Succeeds", "States": {"Succeeds": {"Type": "Succeed"}}}


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    started = start_emulator(tmp_path_factory.mktemp("alarms"), SLUICE_MINUTE_SECONDS=str(MINUTE_SECONDS))
    yield started
    started.stop()


@pytest.fixture(scope="module")
def cloudwatch(emulator: Emulator) -> Any:
    return emulator.client("cloudwatch")


def describe(cloudwatch: Any, name: str) -> dict[str, Any]:
    [alarm] = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return dict(alarm)


def describe_composite(cloudwatch: Any, name: str) -> dict[str, Any]:
    [alarm] = cloudwatch.describe_alarms(AlarmNames=[name], AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
    return dict(alarm)


def wait_for_state(cloudwatch: Any, name: str, state: str) -> None:
    wait_until(lambda: describe(cloudwatch, name)["StateValue"] == state)


def list_states(cloudwatch: Any, name: str) -> list[str]:
    """All states that an alarm has had, the oldest first."""
    items = cloudwatch.describe_alarm_history(AlarmName=name, HistoryItemType="StateUpdate")["AlarmHistoryItems"]
    changes = [json.loads(item["HistoryData"])["newState"]["stateValue"] for item in items]
    return changes[::-1]


def put_values(cloudwatch: Any, namespace: str, *values: tuple[float, float], name: str = "Value") -> None:
    """Put values, each with its age in minutes."""
    now = time.time()
    data = [{"MetricName": name, "Value": value, "Timestamp": now - age * MINUTE_SECONDS} for age, value in values]
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)


def put_together(cloudwatch: Any, namespace: str, age: float, values: dict[str, float]) -> None:
    """Put a value of each metric, all of the same moment: one by one they could fall into two minutes."""
    time_of_all = time.time() - age * MINUTE_SECONDS
    data = [{"MetricName": name, "Value": value, "Timestamp": time_of_all} for name, value in values.items()]
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)


def test_a_failed_execution_fires_the_alarm_of_its_workflow_which_starts_another(
    emulator: Emulator, cloudwatch: Any
) -> None:
    trust = {
        "Statement": [{"Effect": "Allow", "Principal": {"Service": PRINCIPALS}, "Action": "sts:AssumeRole"}],
    }
    role = {"Fn::GetAtt": ["Role", "Arn"]}

    def machine(definition: dict[str, Any]) -> dict[str, Any]:
        return {
            "Type": "AWS::StepFunctions::StateMachine",
            "Properties": {"RoleArn": role, "DefinitionString": json.dumps(definition)},
        }

    def alarm(name: str) -> dict[str, Any]:
        dimensions = [{"Name": "StateMachineArn", "Value": {"Ref": name}}]
        return {"Type": "AWS::CloudWatch::Alarm", "Properties": {**ALARM, "Dimensions": dimensions}}

    pattern = {
        "source": ["aws.cloudwatch"],
        "detail-type": ["CloudWatch Alarm State Change"],
        "resources": [{"Fn::GetAtt": ["FailingAlarm", "Arn"]}],
        "detail": {"state": {"value": ["ALARM"]}},
    }
    target = {"Id": "Passing", "Arn": {"Ref": "Passing"}, "RoleArn": role, "Input": '{"source":"alarm"}'}
    resources = {
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trust}},
        "Failing": machine(FAILING),
        "Passing": machine(PASSING),
        "FailingAlarm": alarm("Failing"),
        "PassingAlarm": alarm("Passing"),
        "AlarmRule": {"Type": "AWS::Events::Rule", "Properties": {"EventPattern": pattern, "Targets": [target]}},
    }
    outputs = {name: {"Value": {"Ref": name}} for name in ("Failing", "Passing", "FailingAlarm", "PassingAlarm")}
    names = deploy_stack(emulator, "alarms", {"Resources": resources, "Outputs": outputs})
    states = emulator.client("stepfunctions")

    def list_executions() -> list[Any]:
        return list(states.list_executions(stateMachineArn=names["Passing"])["executions"])

    states.start_execution(stateMachineArn=names["Failing"])
    states.start_execution(stateMachineArn=names["Failing"])
    wait_for_state(cloudwatch, names["FailingAlarm"], "ALARM")
    [started] = wait_until(list_executions)
    assert json.loads(states.describe_execution(executionArn=started["executionArn"])["input"]) == {"source": "alarm"}
    wait_for_state(cloudwatch, names["FailingAlarm"], "OK")
    assert describe(cloudwatch, names["PassingAlarm"])["StateValue"] != "ALARM"
    assert len(list_executions()) == 1
    states.start_execution(stateMachineArn=names["Failing"])
    wait_until(lambda: len(list_executions()) == 2)


def test_a_template_makes_a_composite_alarm_that_follows_its_parts(emulator: Emulator, cloudwatch: Any) -> None:
    # Without a value it keeps the state that the test sets.
    settings = {**ALARM, "MetricName": "Composed", "TreatMissingData": "ignore"}
    part = {"Type": "AWS::CloudWatch::Alarm", "Properties": settings}
    rule = {"Fn::Sub": 'ALARM("${Long}") AND ALARM("${Short}")'}
    both = {"Type": "AWS::CloudWatch::CompositeAlarm", "Properties": {"AlarmRule": rule, "AlarmDescription": "first"}}
    template: dict[str, Any] = {
        "Resources": {"Long": part, "Short": part, "Both": both},
        "Outputs": {name: {"Value": {"Ref": name}} for name in ("Long", "Short", "Both")},
    }
    names = deploy_stack(emulator, "composite", template)

    def describe_both() -> dict[str, Any]:
        return describe_composite(cloudwatch, names["Both"])

    def set_state(name: str, state: str) -> None:
        cloudwatch.set_alarm_state(AlarmName=names[name], StateValue=state, StateReason="test")

    set_state("Long", "ALARM")
    assert describe_both()["StateValue"] == "OK"
    set_state("Short", "ALARM")
    assert describe_both()["StateValue"] == "ALARM"
    template["Resources"]["Both"]["Properties"]["AlarmDescription"] = "second"
    deploy_stack(emulator, "composite", template)
    assert (describe_both()["AlarmDescription"], describe_both()["StateValue"]) == ("second", "ALARM")
    set_state("Short", "OK")
    assert describe_both()["StateValue"] == "OK"
    del template["Resources"]["Both"], template["Outputs"]["Both"]
    deploy_stack(emulator, "composite", template)
    assert not cloudwatch.describe_alarms(AlarmNames=[names["Both"]], AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]


def test_an_alarm_goes_back_to_ok_although_the_emulator_was_stopped(tmp_path: Path) -> None:
    emulator = start_emulator(tmp_path)
    try:
        cloudwatch = emulator.client("cloudwatch")
        arn = "arn:aws:states:eu-west-1:000000000000:stateMachine:gone"
        cloudwatch.put_metric_alarm(AlarmName="left", **ALARM, Dimensions=[{"Name": "StateMachineArn", "Value": arn}])
        cloudwatch.set_alarm_state(AlarmName="left", StateValue="ALARM", StateReason="an execution failed")
        emulator.stop()
        emulator = start_emulator(tmp_path)
        wait_for_state(emulator.client("cloudwatch"), "left", "OK")
    finally:
        emulator.stop()


def test_an_alarm_needs_m_of_n_periods_of_its_own_dimensions(cloudwatch: Any) -> None:
    settings = {**ALARM, "Namespace": "Periods", "MetricName": "Value", "Threshold": 10, "EvaluationPeriods": 3}
    # A sum of two values breaches in each of two periods; the values of the third are those of another dimension.
    put_values(cloudwatch, "Periods", (1.5, 6), (1.5, 6), (2.5, 6), (2.5, 6), (3.5, 1))
    now = time.time()
    other = {"MetricName": "Value", "Value": 100.0, "Dimensions": [{"Name": "of", "Value": "another"}]}
    cloudwatch.put_metric_data(
        Namespace="Periods", MetricData=[{**other, "Timestamp": now - age * MINUTE_SECONDS} for age in (0, 3.5)]
    )
    cloudwatch.put_metric_alarm(AlarmName="three-of-three", **settings)
    cloudwatch.put_metric_alarm(AlarmName="two-of-three", **settings, DatapointsToAlarm=2)
    wait_for_state(cloudwatch, "two-of-three", "ALARM")
    assert describe(cloudwatch, "two-of-three")["StateReason"].startswith("Threshold Crossed: 2 out of the last 3")
    wait_for_state(cloudwatch, "two-of-three", "OK")
    assert "ALARM" not in list_states(cloudwatch, "three-of-three")
    wait_for_state(cloudwatch, "three-of-three", "OK")


@pytest.mark.parametrize(
    ("treatment", "states"),
    [
        ("notBreaching", ["ALARM", "OK"]),
        ("missing", ["ALARM", "INSUFFICIENT_DATA"]),
        ("breaching", ["OK", "ALARM"]),
        ("ignore", ["ALARM"]),
    ],
)
def test_missing_points_are_treated_as_the_alarm_says(cloudwatch: Any, treatment: str, states: list[str]) -> None:
    name = f"missing-{treatment}"
    value = 0.0 if treatment == "breaching" else 1.0
    put_values(cloudwatch, name, (1.5, value))
    settings = {**ALARM, "Namespace": name, "MetricName": "Value", "TreatMissingData": treatment}
    cloudwatch.put_metric_alarm(AlarmName=name, **settings)
    wait_until(lambda: list_states(cloudwatch, name)[1:] == states)


def test_an_alarm_on_an_average_waits_for_the_end_of_the_minute_and_one_on_a_sum_does_not(cloudwatch: Any) -> None:
    settings = {**ALARM, "Namespace": "Early", "MetricName": "Value", "Threshold": 10}
    # The average of the minute falls below the threshold before the minute ends.
    for statistic in ("Sum", "Average"):
        cloudwatch.put_metric_alarm(AlarmName=f"early-{statistic}", **{**settings, "Statistic": statistic})
    for name in ("early-Sum", "early-Average"):
        wait_for_state(cloudwatch, name, "OK")
    started = time.time()
    wait_until(lambda: time.time() % MINUTE_SECONDS < MINUTE_SECONDS / 4 and time.time() > started)
    put_values(cloudwatch, "Early", (0, 15.0), (0, 1.0))
    wait_for_state(cloudwatch, "early-Sum", "ALARM")
    wait_for_state(cloudwatch, "early-Sum", "OK")
    assert list_states(cloudwatch, "early-Sum")[1:] == ["OK", "ALARM", "OK"]
    assert list_states(cloudwatch, "early-Average")[1:] == ["OK"]


def test_a_percentile_is_that_of_the_values_of_a_period(cloudwatch: Any) -> None:
    settings = {key: value for key, value in ALARM.items() if key != "Statistic"}
    settings |= {"Namespace": "Percentile", "MetricName": "Value", "Threshold": 50}
    put_values(cloudwatch, "Percentile", *((1.5, float(value)) for value in range(101)))
    cloudwatch.put_metric_alarm(AlarmName="p50", **settings, ExtendedStatistic="p50")
    cloudwatch.put_metric_alarm(AlarmName="p51", **settings, ExtendedStatistic="p51")
    wait_for_state(cloudwatch, "p51", "ALARM")
    wait_for_state(cloudwatch, "p50", "OK")
    assert "ALARM" not in list_states(cloudwatch, "p50")


def build_queries(*expressions: tuple[str, str]) -> list[dict[str, Any]]:
    def query(name: str) -> dict[str, Any]:
        metric = {"Namespace": "Math", "MetricName": name}
        return {"Id": name, "ReturnData": False, "MetricStat": {"Metric": metric, "Stat": "Sum", "Period": 60}}

    last = len(expressions) - 1
    return [
        query("errors"),
        query("requests"),
        *(
            {"Id": name, "Expression": expression, "ReturnData": index == last}
            for index, (name, expression) in enumerate(expressions)
        ),
    ]


def test_an_alarm_on_metric_math_of_a_template_fires_and_clears(emulator: Emulator, cloudwatch: Any) -> None:
    settings = {key: ALARM[key] for key in ("EvaluationPeriods", "ComparisonOperator", "TreatMissingData")}
    # The first expression uses the second.
    queries = build_queries(("percent", "share * 100"), ("share", "errors / requests"))
    queries[-1]["ReturnData"], queries[-2]["ReturnData"] = False, True
    properties = {**settings, "Threshold": 10, "Metrics": queries}
    alarm = {"Type": "AWS::CloudWatch::Alarm", "Properties": properties}
    outputs = {"Name": {"Value": {"Ref": "Math"}}}
    name = deploy_stack(emulator, "alarm-on-math", {"Resources": {"Math": alarm}, "Outputs": outputs})["Name"]
    stored = describe(cloudwatch, name)
    assert [entry["Id"] for entry in stored["Metrics"]] == ["errors", "requests", "percent", "share"]
    assert "MetricName" not in stored
    wait_for_state(cloudwatch, name, "OK")
    put_together(cloudwatch, "Math", 1, {"errors": 5, "requests": 40})
    wait_for_state(cloudwatch, name, "ALARM")
    assert "[12.5]" in describe(cloudwatch, name)["StateReason"]
    wait_for_state(cloudwatch, name, "OK")


def test_an_alarm_on_metric_math_can_be_put(cloudwatch: Any) -> None:
    settings = {key: ALARM[key] for key in ("EvaluationPeriods", "ComparisonOperator", "TreatMissingData", "Threshold")}
    queries = build_queries(("failures", "SUM([errors, requests])"))
    cloudwatch.put_metric_alarm(AlarmName="put-math", Metrics=queries, **settings)
    assert "MetricName" not in describe(cloudwatch, "put-math")
    wait_for_state(cloudwatch, "put-math", "OK")
    put_values(cloudwatch, "Math", (1, 5), name="errors")
    wait_for_state(cloudwatch, "put-math", "ALARM")


def test_only_a_change_of_state_has_actions_and_a_composite_alarm_follows(emulator: Emulator, cloudwatch: Any) -> None:
    sns, sqs = emulator.client("sns"), emulator.client("sqs")
    topic, queue = sns.create_topic(Name="changes")["TopicArn"], sqs.create_queue(QueueName="changes")["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allowed = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": queue_arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn, Attributes={"RawMessageDelivery": "true"})
    settings = {**ALARM, "Namespace": "Actions", "MetricName": "Value"}
    cloudwatch.put_metric_alarm(AlarmName="acting", AlarmActions=[topic], OKActions=[topic], **settings)
    cloudwatch.put_composite_alarm(AlarmName="parent", AlarmRule="ALARM(acting)")
    messages: list[tuple[str, str]] = []

    def receive() -> int:
        for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            body = json.loads(message["Body"])
            messages.append((body["OldStateValue"], body["NewStateValue"]))
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return len(messages)

    wait_for_state(cloudwatch, "acting", "OK")
    for age in (1, 0):
        put_values(cloudwatch, "Actions", (age, 1.0))
    wait_for_state(cloudwatch, "acting", "ALARM")
    wait_until(lambda: describe_composite(cloudwatch, "parent")["StateValue"] == "ALARM")
    wait_for_state(cloudwatch, "acting", "OK")
    wait_until(lambda: describe_composite(cloudwatch, "parent")["StateValue"] == "OK")
    wait_until(lambda: receive() >= 3)
    assert messages == [("INSUFFICIENT_DATA", "OK"), ("OK", "ALARM"), ("ALARM", "OK")]
