"""Alarms on failed executions fire and send events to EventBridge; alarms on metric math are stored."""

import json
from pathlib import Path
from typing import Any

from testkit.emulator_harness import Emulator, deploy_stack, start_emulator, wait_until

PRINCIPALS = ["states.amazonaws.com", "events.amazonaws.com"]
ALARM = {
    "Namespace": "AWS/States",
    "MetricName": "ExecutionsFailed",
    "Statistic": "Sum",
    "Period": 2,
    "EvaluationPeriods": 1,
    "Threshold": 0,
    "ComparisonOperator": "GreaterThanThreshold",
}
FAILING = {"StartAt": "Fails", "States": {"Fails": {"Type": "Fail", "Error": "Failed"}}}
PASSING = {"StartAt": "Succeeds", "States": {"Succeeds": {"Type": "Succeed"}}}


def test_a_failed_execution_fires_the_alarm_of_its_workflow_which_starts_another(emulator: Emulator) -> None:
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
    states, cloudwatch = emulator.client("stepfunctions"), emulator.client("cloudwatch")

    def get_state(name: str) -> str:
        [description] = cloudwatch.describe_alarms(AlarmNames=[names[name]])["MetricAlarms"]
        return str(description["StateValue"])

    def list_executions() -> list[Any]:
        return list(states.list_executions(stateMachineArn=names["Passing"])["executions"])

    states.start_execution(stateMachineArn=names["Failing"])
    states.start_execution(stateMachineArn=names["Failing"])
    wait_until(lambda: get_state("FailingAlarm") == "ALARM")
    [started] = wait_until(list_executions)
    assert json.loads(states.describe_execution(executionArn=started["executionArn"])["input"]) == {"source": "alarm"}
    wait_until(lambda: get_state("FailingAlarm") == "OK")
    assert get_state("PassingAlarm") != "ALARM"
    assert len(list_executions()) == 1
    states.start_execution(stateMachineArn=names["Failing"])
    wait_until(lambda: len(list_executions()) == 2)


def test_a_template_makes_a_composite_alarm_that_follows_its_parts(emulator: Emulator) -> None:
    part = {"Type": "AWS::CloudWatch::Alarm", "Properties": ALARM}
    rule = {"Fn::Sub": 'ALARM("${Long}") AND ALARM("${Short}")'}
    both = {"Type": "AWS::CloudWatch::CompositeAlarm", "Properties": {"AlarmRule": rule, "AlarmDescription": "first"}}
    template: dict[str, Any] = {
        "Resources": {"Long": part, "Short": part, "Both": both},
        "Outputs": {name: {"Value": {"Ref": name}} for name in ("Long", "Short", "Both")},
    }
    names = deploy_stack(emulator, "composite", template)
    cloudwatch = emulator.client("cloudwatch")

    def describe() -> dict[str, Any]:
        described = cloudwatch.describe_alarms(AlarmNames=[names["Both"]], AlarmTypes=["CompositeAlarm"])
        return dict(described["CompositeAlarms"][0])

    def set_state(name: str, state: str) -> None:
        cloudwatch.set_alarm_state(AlarmName=names[name], StateValue=state, StateReason="test")

    set_state("Long", "ALARM")
    assert describe()["StateValue"] == "OK"
    set_state("Short", "ALARM")
    assert describe()["StateValue"] == "ALARM"
    template["Resources"]["Both"]["Properties"]["AlarmDescription"] = "second"
    deploy_stack(emulator, "composite", template)
    assert (describe()["AlarmDescription"], describe()["StateValue"]) == ("second", "ALARM")
    set_state("Short", "OK")
    assert describe()["StateValue"] == "OK"
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
        wait_until(
            lambda: (
                emulator.client("cloudwatch").describe_alarms(AlarmNames=["left"])["MetricAlarms"][0]["StateValue"]
                == "OK"
            )
        )
    finally:
        emulator.stop()


def test_an_alarm_on_metric_math_is_stored_and_never_fires(emulator: Emulator) -> None:
    def query(name: str) -> dict[str, Any]:
        metric = {"Namespace": "Math", "MetricName": name}
        return {"Id": name, "ReturnData": False, "MetricStat": {"Metric": metric, "Stat": "Sum", "Period": 60}}

    queries = [query("errors"), query("throttles"), {"Id": "failures", "Expression": "SUM([errors, throttles])"}]
    settings = {key: ALARM[key] for key in ("EvaluationPeriods", "Threshold", "ComparisonOperator")}
    alarm = {"Type": "AWS::CloudWatch::Alarm", "Properties": {**settings, "Metrics": queries}}
    outputs = {"Name": {"Value": {"Ref": "Math"}}}
    name = deploy_stack(emulator, "alarm-on-math", {"Resources": {"Math": alarm}, "Outputs": outputs})["Name"]
    cloudwatch = emulator.client("cloudwatch")
    cloudwatch.put_metric_data(Namespace="Math", MetricData=[{"MetricName": "errors", "Value": 1.0}])
    [stored] = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    assert [entry["Id"] for entry in stored["Metrics"]] == ["errors", "throttles", "failures"]
    assert "MetricName" not in stored
    assert stored["StateValue"] == "INSUFFICIENT_DATA"
