"""An alarm on failed executions rings, tells EventBridge, and is over after its period."""

import json
from typing import Any

from tests.emulator.harness import Emulator, deploy_stack, wait_until

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
FAILING = {"StartAt": "No", "States": {"No": {"Type": "Fail", "Error": "No"}}}
PASSING = {"StartAt": "Yes", "States": {"Yes": {"Type": "Succeed"}}}


def test_a_failed_execution_rings_the_alarm_of_its_workflow_which_starts_another(emulator: Emulator) -> None:
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
    target = {"Id": "Passing", "Arn": {"Ref": "Passing"}, "RoleArn": role, "Input": '{"said":"alarm"}'}
    resources = {
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trust}},
        "Failing": machine(FAILING),
        "Passing": machine(PASSING),
        "FailingAlarm": alarm("Failing"),
        "PassingAlarm": alarm("Passing"),
        "Rung": {"Type": "AWS::Events::Rule", "Properties": {"EventPattern": pattern, "Targets": [target]}},
    }
    outputs = {name: {"Value": {"Ref": name}} for name in ("Failing", "Passing", "FailingAlarm", "PassingAlarm")}
    found = deploy_stack(emulator, "alarms", {"Resources": resources, "Outputs": outputs})
    states, watch = emulator.client("stepfunctions"), emulator.client("cloudwatch")

    def state(name: str) -> str:
        [one] = watch.describe_alarms(AlarmNames=[found[name]])["MetricAlarms"]
        return str(one["StateValue"])

    def executions() -> list[Any]:
        return list(states.list_executions(stateMachineArn=found["Passing"])["executions"])

    states.start_execution(stateMachineArn=found["Failing"])
    states.start_execution(stateMachineArn=found["Failing"])
    wait_until(lambda: state("FailingAlarm") == "ALARM")
    [started] = wait_until(executions)
    assert json.loads(states.describe_execution(executionArn=started["executionArn"])["input"]) == {"said": "alarm"}
    wait_until(lambda: state("FailingAlarm") == "OK")
    assert state("PassingAlarm") != "ALARM"
    assert len(executions()) == 1
    states.start_execution(stateMachineArn=found["Failing"])
    wait_until(lambda: len(executions()) == 2)
