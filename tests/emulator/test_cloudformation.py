import json
import time
from typing import Any

import pytest

from testkit.emulator_harness import Emulator, StackFailedError, build_function, deploy_stack

RESPONDER = """
    import json, urllib.request

    def handle(event, context):
        properties = event["ResourceProperties"]
        deleted = event["RequestType"] == "Delete"
        if properties.get("Crash") and not deleted:
            raise RuntimeError("cannot respond")
        failed = None if deleted else properties.get("Fail")
        response = {
            "Status": "FAILED" if failed else "SUCCESS", "Reason": failed or "", "PhysicalResourceId": "tables",
            "StackId": event["StackId"], "RequestId": event["RequestId"],
            "LogicalResourceId": event["LogicalResourceId"],
            "Data": {"Seen": event["RequestType"] + " " + properties["Revision"]},
        }
        request = urllib.request.Request(event["ResponseURL"], json.dumps(response).encode(), method="PUT")
        urllib.request.urlopen(request).close()
"""


def build_migration(**properties: Any) -> dict[str, Any]:
    """A template with a migration, whose function answers what the properties say."""
    token = {"Fn::GetAtt": ["Responder", "Arn"]}
    return {
        "Resources": {
            "Responder": build_function(RESPONDER),
            "Migration": {"Type": "Custom::Migration", "Properties": {"ServiceToken": token, **properties}},
        },
        "Outputs": {"Seen": {"Value": {"Fn::GetAtt": ["Migration", "Seen"]}}},
    }


def test_a_custom_resource_is_updated_when_a_property_changes(emulator: Emulator) -> None:
    assert deploy_stack(emulator, "migrating", build_migration(Revision="1"))["Seen"] == "Create 1"
    assert deploy_stack(emulator, "migrating", build_migration(Revision="2"))["Seen"] == "Update 2"


def test_the_stack_events_contain_the_reason_of_a_custom_resource(emulator: Emulator) -> None:
    with pytest.raises(StackFailedError, match=r"field 'length' would lose data"):
        deploy_stack(emulator, "refused", build_migration(Revision="1", Fail="field 'length' would lose data"))


def test_a_custom_resource_that_crashes_fails_at_once(emulator: Emulator) -> None:
    started = time.monotonic()
    with pytest.raises(StackFailedError, match="RuntimeError: cannot respond"):
        deploy_stack(emulator, "crashed", build_migration(Revision="1", Crash="true"))
    assert time.monotonic() - started < 20


def test_rules_and_associations_are_resources_of_their_own(emulator: Emulator) -> None:
    group = {"Fn::GetAtt": ["Group", "GroupId"]}
    rule = {"GroupId": group, "IpProtocol": "tcp", "FromPort": 3306, "ToPort": 3306}
    resources = {
        "Group": {"Type": "AWS::EC2::SecurityGroup", "Properties": {"GroupDescription": "database"}},
        "In": {
            "Type": "AWS::EC2::SecurityGroupIngress",
            "Properties": {**rule, "SourceSecurityGroupId": group},
        },
        "Out": {"Type": "AWS::EC2::SecurityGroupEgress", "Properties": {**rule, "CidrIp": "10.0.0.0/8"}},
        "Acl": {
            "Type": "AWS::WAFv2::WebACL",
            "Properties": {
                "Scope": "REGIONAL",
                "DefaultAction": {"Allow": {}},
                "VisibilityConfig": {
                    "CloudWatchMetricsEnabled": False,
                    "MetricName": "acl",
                    "SampledRequestsEnabled": False,
                },
            },
        },
        "Association": {
            "Type": "AWS::WAFv2::WebACLAssociation",
            "Properties": {
                "ResourceArn": "arn:aws:apigateway:us-east-1::/restapis/abc/stages/live",
                "WebACLArn": {"Fn::GetAtt": ["Acl", "Arn"]},
            },
        },
    }
    group_id = deploy_stack(emulator, "network", {"Resources": resources, "Outputs": {"Group": {"Value": group}}})[
        "Group"
    ]
    ec2 = emulator.client("ec2")
    described = ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"][0]
    assert [rule["FromPort"] for rule in described["IpPermissions"]] == [3306]
    assert any(rule.get("FromPort") == 3306 for rule in described["IpPermissionsEgress"])
    acl = emulator.client("wafv2").get_web_acl_for_resource(
        ResourceArn="arn:aws:apigateway:us-east-1::/restapis/abc/stages/live"
    )
    assert acl["WebACL"]["Name"]
    del resources["In"]
    deploy_stack(emulator, "network", {"Resources": resources, "Outputs": {"Group": {"Value": group}}})
    described = ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"][0]
    assert json.dumps(described["IpPermissions"]) == "[]"


def test_a_saved_query_is_a_resource_and_needs_its_log_groups(emulator: Emulator) -> None:
    group = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/queried"}}
    settings = {"Name": "stack/What fails", "QueryString": "fields @message\n| limit 5"}
    query = {"Type": "AWS::Logs::QueryDefinition", "Properties": {**settings, "LogGroupNames": [{"Ref": "Group"}]}}
    resources = {"Group": group, "Query": query}
    outputs = {"Query": {"Value": {"Ref": "Query"}}}
    assert deploy_stack(emulator, "queries", {"Resources": resources, "Outputs": outputs})["Query"]
    query = {"Type": "AWS::Logs::QueryDefinition", "Properties": {**settings, "LogGroupNames": ["/gone"]}}
    with pytest.raises(StackFailedError, match="log group does not exist: /gone"):
        deploy_stack(emulator, "queries-of-nothing", {"Resources": {"Query": query}})


def test_a_dashboard_is_put_together_from_texts_by_condition(emulator: Emulator) -> None:
    """The form of the template: Fn::Sub with variables of its own, whose values are chosen by a condition."""
    alarm = {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "Namespace": "Sluice",
            "MetricName": "Some",
            "Statistic": "Sum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 0,
            "ComparisonOperator": "GreaterThanThreshold",
        },
    }
    widget = {"type": "alarm", "x": 0, "y": 0, "width": 6, "height": 2, "properties": {"alarms": ["${Alarm.Arn}"]}}
    values = {"Widgets": {"Fn::If": ["Wanted", {"Fn::Sub": json.dumps(widget)}, '{"type": "text"}']}}
    body = {"Fn::Sub": ['{"start": "${AWS::Region}", "widgets": [${Widgets}]}', values]}
    template = {
        "Parameters": {"Wanted": {"Type": "String", "Default": "true"}},
        "Conditions": {"Wanted": {"Fn::Equals": [{"Ref": "Wanted"}, "true"]}},
        "Resources": {
            "Alarm": alarm,
            "Dashboard": {
                "Type": "AWS::CloudWatch::Dashboard",
                "Properties": {"DashboardName": {"Fn::Sub": "${AWS::StackName}-x"}, "DashboardBody": body},
            },
        },
        "Outputs": {"Arn": {"Value": {"Fn::GetAtt": ["Alarm", "Arn"]}}},
    }
    arn = deploy_stack(emulator, "watched", template)["Arn"]
    stored = emulator.client("cloudwatch").get_dashboard(DashboardName="watched-x")["DashboardBody"]
    assert json.loads(stored)["widgets"][0]["properties"]["alarms"] == [arn]
