"""A function in a VPC may do only what its role and the policies of the VPC's endpoints allow."""

from typing import Any

import pytest

from testkit.emulator_harness import Emulator, build_function, deploy_stack, invoke_function

CALLER = """
    import boto3, os
    from botocore.exceptions import ClientError

    CALLS = {
        "put kept/": lambda: boto3.client("s3").put_object(Bucket=os.environ["BUCKET"], Key="kept/a", Body=b""),
        "put other/": lambda: boto3.client("s3").put_object(Bucket=os.environ["BUCKET"], Key="other/a", Body=b""),
        "list": lambda: boto3.client("s3").list_objects_v2(Bucket=os.environ["BUCKET"]),
        "read secret": lambda: boto3.client("secretsmanager").get_secret_value(SecretId=os.environ["SECRET"]),
        "list queues": lambda: boto3.client("sqs").list_queues(),
    }

    def handle(event, context):
        answers = {}
        for name, call in CALLS.items():
            try:
                call()
                answers[name] = "allowed"
            except ClientError as error:
                answers[name] = error.response["Error"]["Code"]
                answers["message"] = error.response["Error"]["Message"]
        return answers
"""
SUBNETS = {"SubnetIds": [{"Ref": "Subnet"}], "SecurityGroupIds": [{"Ref": "Group"}]}
SECRET = {"Fn::If": ["OwnNetwork", {"Fn::GetAtt": ["Secret", "Id"]}, {"Ref": "ExistingSecret"}]}
ALLOWED = ("s3:*", "secretsmanager:*", "sqs:*")


def _allow(actions: list[str], resources: list[Any], **more: Any) -> dict[str, Any]:
    return {"Statement": [{"Effect": "Allow", "Action": actions, "Resource": resources, **more}]}


def _build_endpoint(service: str, policy: dict[str, Any] | None) -> dict[str, Any]:
    statements = [{**statement, "Principal": "*"} for statement in (policy or {}).get("Statement", [])]
    return {
        "Type": "AWS::EC2::VPCEndpoint",
        "Condition": "OwnNetwork",
        "Properties": {
            "VpcId": {"Ref": "Network"},
            "ServiceName": {"Fn::Sub": f"com.amazonaws.${{AWS::Region}}.{service}"},
            **({"PolicyDocument": {"Version": "2012-10-17", "Statement": statements}} if policy else {}),
        },
    }


def _build_template(own_network: str, **endpoints: dict[str, Any] | None) -> dict[str, Any]:
    properties = {"Environment": {"Variables": {"BUCKET": {"Ref": "Bucket"}, "SECRET": SECRET}}}
    policies = [_allow([action], ["*"]) for action in ALLOWED]
    in_vpc = {"Fn::If": ["OwnNetwork", SUBNETS, {"Ref": "AWS::NoValue"}]}
    network: dict[str, dict[str, Any]] = {
        "Network": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/24"}},
        "Subnet": {
            "Type": "AWS::EC2::Subnet",
            "Properties": {"VpcId": {"Ref": "Network"}, "CidrBlock": "10.0.0.0/26"},
        },
        "Group": {
            "Type": "AWS::EC2::SecurityGroup",
            "Properties": {"VpcId": {"Ref": "Network"}, "GroupDescription": "functions"},
        },
        "Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": {"SecretString": "own"}},
    }
    return {
        "Parameters": {
            "OwnNetwork": {"Type": "String", "Default": own_network},
            "ExistingSecret": {"Type": "String", "Default": "none"},
        },
        "Conditions": {"OwnNetwork": {"Fn::Equals": [{"Ref": "OwnNetwork"}, "true"]}},
        "Resources": {
            **{name: {**resource, "Condition": "OwnNetwork"} for name, resource in network.items()},
            **{f"{name}Endpoint": _build_endpoint(name, policy) for name, policy in endpoints.items()},
            "Bucket": {"Type": "AWS::S3::Bucket"},
            "Inside": build_function(CALLER, Policies=policies, VpcConfig=in_vpc, **properties),
            "Outside": build_function(CALLER, Policies=policies, **properties),
        },
        "Outputs": {name: {"Value": {"Ref": name}} for name in ("Inside", "Outside")},
    }


KEPT = _allow(["s3:PutObject"], [{"Fn::Sub": "${Bucket.Arn}/kept/*"}])
READ_SECRET = _allow(["secretsmanager:GetSecretValue"], [{"Fn::GetAtt": ["Secret", "Id"]}])


@pytest.fixture
def existing_secret(emulator: Emulator) -> str:
    manager = emulator.client("secretsmanager")
    try:
        return str(manager.describe_secret(SecretId="endpoint-policies")["ARN"])
    except manager.exceptions.ResourceNotFoundException:
        return str(manager.create_secret(Name="endpoint-policies", SecretString="existing")["ARN"])


# Without a network of its own, as the local stack, and with one.
@pytest.mark.parametrize("own_network", ["false", "true"])
def test_the_endpoints_limit_the_functions_in_the_vpc(
    emulator: Emulator, existing_secret: str, own_network: str
) -> None:
    template = _build_template(own_network, s3=KEPT, secretsmanager=READ_SECRET)
    template["Parameters"]["ExistingSecret"]["Default"] = existing_secret
    functions = deploy_stack(emulator, f"endpoints-{own_network}", template)
    inside, _ = invoke_function(emulator, functions["Inside"])
    assert "no VPC endpoint policy allows" in inside.pop("message")
    assert inside == {
        "put kept/": "allowed",
        "put other/": "AccessDenied",
        "list": "AccessDenied",
        "read secret": "allowed",
        "list queues": "AccessDenied",  # no endpoint at all
    }
    outside, _ = invoke_function(emulator, functions["Outside"])
    assert set(outside.values()) == {"allowed"}


def test_an_endpoint_without_a_policy_allows_its_service(emulator: Emulator, existing_secret: str) -> None:
    template = _build_template("false", s3=None)
    template["Parameters"]["ExistingSecret"]["Default"] = existing_secret
    functions = deploy_stack(emulator, "endpoints-open", template)
    inside, _ = invoke_function(emulator, functions["Inside"])
    assert [name for name, answer in inside.items() if answer == "allowed"] == ["put kept/", "put other/", "list"]


def test_an_update_changes_the_limits(emulator: Emulator, existing_secret: str) -> None:
    functions = deploy_stack(emulator, "endpoints-updated", _build_template("false", s3=KEPT))
    other = _allow(["s3:PutObject"], [{"Fn::Sub": "${Bucket.Arn}/other/*"}])
    assert invoke_function(emulator, functions["Inside"])[0]["put other/"] == "AccessDenied"
    deploy_stack(emulator, "endpoints-updated", _build_template("false", s3=other))
    inside, _ = invoke_function(emulator, functions["Inside"])
    assert (inside["put kept/"], inside["put other/"]) == ("AccessDenied", "allowed")


def test_a_function_in_a_vpc_of_somebody_else_is_not_limited(emulator: Emulator, existing_secret: str) -> None:
    """The endpoints of such a VPC are unknown."""
    functions = deploy_stack(emulator, "endpoints-none", _build_template("false"))
    inside, _ = invoke_function(emulator, functions["Inside"])
    assert inside["put other/"] == "allowed"
