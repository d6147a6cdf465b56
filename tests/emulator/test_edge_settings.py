"""CloudFormation accepts the edge's settings, and the deployed settings can be read back."""

import copy
import json
from typing import Any

import pytest

from testkit.emulator_harness import Emulator, StackFailedError, deploy_stack

Resources = dict[str, Any]

VISIBLE = {"CloudWatchMetricsEnabled": False, "MetricName": "acl", "SampledRequestsEnabled": False}
LIMIT = {"RequestBody": {"API_GATEWAY": {"DefaultSizeInspectionLimit": "KB_64"}}}
KEYS = ["method.request.path.collection", "method.request.header.Authorization", "method.request.querystring.f.gte"]


def _build_acl(**properties: Any) -> Resources:
    acl = {"Scope": "REGIONAL", "DefaultAction": {"Block": {}}, "VisibilityConfig": VISIBLE, **properties}
    return {"Acl": {"Type": "AWS::WAFv2::WebACL", "Properties": acl}}


def _build_logging(group: str) -> Resources:
    arn = {"Fn::Sub": f"arn:aws:logs:${{AWS::Region}}:${{AWS::AccountId}}:log-group:{group}"}
    properties = {"ResourceArn": {"Fn::GetAtt": ["Acl", "Arn"]}, "LogDestinationConfigs": [arn]}
    return {"Logging": {"Type": "AWS::WAFv2::LoggingConfiguration", "Properties": properties}}


def _build_api(stage: dict[str, Any]) -> Resources:
    parameters = [
        {"name": "collection", "in": "path", "required": True, "type": "string"},
        {"name": "Authorization", "in": "header", "required": False, "type": "string"},
        {"name": "f.gte", "in": "query", "required": False, "type": "string"},
    ]
    integration = {"type": "mock", "cacheKeyParameters": KEYS}
    get = {"parameters": parameters, "x-amazon-apigateway-integration": integration}
    body = {"swagger": "2.0", "info": {"title": "api", "version": "1"}, "paths": {"/v1/{collection}": {"get": get}}}
    api = {"Ref": "Api"}
    return {
        "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "api", "Body": body}},
        "Deployment": {"Type": "AWS::ApiGateway::Deployment", "Properties": {"RestApiId": api}},
        "Stage": {
            "Type": "AWS::ApiGateway::Stage",
            "Properties": {"RestApiId": api, "DeploymentId": {"Ref": "Deployment"}, "StageName": "live", **stage},
        },
    }


def test_a_web_acl_stores_its_body_limit_and_its_custom_responses(emulator: Emulator) -> None:
    bodies = {"TooMany": {"ContentType": "APPLICATION_JSON", "Content": "{}"}}
    outputs = {"Id": {"Value": {"Fn::GetAtt": ["Acl", "Id"]}}}

    def deploy_acl(**properties: Any) -> Any:
        ids = deploy_stack(
            emulator, "limited", {"Resources": _build_acl(Name="limited", **properties), "Outputs": outputs}
        )
        return emulator.client("wafv2").get_web_acl(Name="limited", Scope="REGIONAL", Id=ids["Id"])["WebACL"]

    acl = deploy_acl(AssociationConfig=LIMIT, CustomResponseBodies=bodies)
    assert (acl["AssociationConfig"], acl["CustomResponseBodies"]) == (LIMIT, bodies)
    acl = deploy_acl(CustomResponseBodies={})
    assert "AssociationConfig" not in acl
    assert acl["CustomResponseBodies"] == {}


def test_the_rules_of_a_web_acl_have_the_form_of_the_api(emulator: Emulator) -> None:
    matched = {
        "SearchString": "sesame",
        "FieldToMatch": {"SingleHeader": {"Name": "x-door"}},
        "PositionalConstraint": "EXACTLY",
        "TextTransformations": [{"Priority": "0", "Type": "NONE"}],
    }
    rate = {"RateBasedStatement": {"Limit": {"Ref": "MaxRequests"}, "AggregateKeyType": "IP"}}
    common = {"Priority": 0, "Action": {"Allow": {}}, "VisibilityConfig": VISIBLE}
    rules = [
        {"Name": "Door", **common, "Statement": {"ByteMatchStatement": matched}},
        {"Name": "Rate", **common, "Statement": rate},
    ]
    template = {
        "Parameters": {"MaxRequests": {"Type": "Number", "Default": 100}},
        "Resources": _build_acl(Name="ruled", Rules=rules),
        "Outputs": {"Id": {"Value": {"Fn::GetAtt": ["Acl", "Id"]}}},
    }
    ids = deploy_stack(emulator, "ruled", template)
    stored_rules = emulator.client("wafv2").get_web_acl(Name="ruled", Scope="REGIONAL", Id=ids["Id"])["WebACL"]["Rules"]
    byte_match = stored_rules[0]["Statement"]["ByteMatchStatement"]
    assert byte_match["SearchString"] == b"sesame"
    assert byte_match["TextTransformations"] == [{"Priority": 0, "Type": "NONE"}]
    assert stored_rules[1]["Statement"]["RateBasedStatement"]["Limit"] == 100


def test_the_log_group_of_a_web_acl_needs_the_prefix_of_aws(emulator: Emulator) -> None:
    deploy_stack(emulator, "logged", {"Resources": _build_acl() | _build_logging("aws-waf-logs-here")})
    with pytest.raises(StackFailedError, match="aws-waf-logs-"):
        deploy_stack(emulator, "logged-elsewhere", {"Resources": _build_acl() | _build_logging("elsewhere")})


def test_a_stage_stores_its_cache_and_a_method_its_cache_keys(emulator: Emulator) -> None:
    outputs = {"Api": {"Value": {"Ref": "Api"}}}
    client = emulator.client("apigateway")
    on = {"CacheClusterEnabled": "true", "CacheClusterSize": "0.5"}
    api = deploy_stack(emulator, "cached", {"Resources": _build_api(on), "Outputs": outputs})["Api"]
    stage = client.get_stage(restApiId=api, stageName="live")
    assert (stage["cacheClusterEnabled"], stage["cacheClusterSize"]) == (True, "0.5")
    [resource] = [item for item in client.get_resources(restApiId=api)["items"] if item["path"] == "/v1/{collection}"]
    method = client.get_method(restApiId=api, resourceId=resource["id"], httpMethod="GET")
    assert method["methodIntegration"]["cacheKeyParameters"] == KEYS
    assert method["requestParameters"] == {KEYS[0]: True, KEYS[1]: False, KEYS[2]: False}
    deploy_stack(emulator, "cached", {"Resources": _build_api({"CacheClusterEnabled": False}), "Outputs": outputs})
    stage = client.get_stage(restApiId=api, stageName="live")
    assert stage["cacheClusterEnabled"] is False
    assert "cacheClusterSize" not in stage


def test_an_access_log_has_a_source_a_destination_and_a_delivery(emulator: Emulator) -> None:
    fields = ["c-ip", "sc-status"]
    source = {
        "Name": "edge",
        "LogType": "ACCESS_LOGS",
        "ResourceArn": "arn:aws:cloudfront::000000000000:distribution/E",
    }
    resources: Resources = {
        "Group": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/aws/vendedlogs/edge"}},
        "Source": {"Type": "AWS::Logs::DeliverySource", "Properties": source},
        "Destination": {
            "Type": "AWS::Logs::DeliveryDestination",
            "Properties": {
                "Name": "edge",
                "OutputFormat": "json",
                "DestinationResourceArn": {"Fn::GetAtt": ["Group", "Arn"]},
            },
        },
        "Delivery": {
            "Type": "AWS::Logs::Delivery",
            "DependsOn": ["Source"],
            "Properties": {
                "DeliverySourceName": "edge",
                "DeliveryDestinationArn": {"Fn::GetAtt": ["Destination", "Arn"]},
                "RecordFields": fields,
            },
        },
    }
    logs = emulator.client("logs")
    deploy_stack(emulator, "delivered", {"Resources": resources})
    assert [delivery["recordFields"] for delivery in logs.describe_deliveries()["deliveries"]] == [fields]
    changed = copy.deepcopy(resources)
    changed["Delivery"]["Properties"]["RecordFields"] = fields[:1]
    deploy_stack(emulator, "delivered", {"Resources": changed})
    assert [delivery["recordFields"] for delivery in logs.describe_deliveries()["deliveries"]] == [fields[:1]]
    deploy_stack(emulator, "delivered", {"Resources": {"Group": resources["Group"]}})
    assert json.dumps(
        [logs.describe_deliveries()["deliveries"], logs.describe_delivery_sources()["deliverySources"]]
    ) == ("[[], []]")
