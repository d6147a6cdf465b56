"""Ways to break the network of the template, in addition to those of `breaks`."""

from collections.abc import Callable
from typing import Any

from tests.template.breaks import Break, put


def _find(endpoint: str, action: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Find the first statement of an endpoint's policy that allows the action."""

    def find_statement(resources: dict[str, Any]) -> dict[str, Any]:
        listed = resources[endpoint]["Properties"]["PolicyDocument"]["Statement"]
        return next(statement for statement in listed if action in statement["Action"])

    return find_statement


ENDPOINT_BREAKS: list[tuple[str, str, Break]] = [
    (
        "E9130",
        "RejectedWritesFunction may s3:DeleteObject on arn:aws:s3:::BatchBucket/retries/*, but S3Endpoint",
        lambda resources: _find("S3Endpoint", "s3:DeleteObject")(resources).update(Effect="Deny"),
    ),
    (
        "E9130",
        "RebuildFunction may s3:PutObject on arn:aws:s3:::BatchBucket/replays/*, but S3Endpoint",
        lambda resources: _find("S3Endpoint", "s3:PutObject")(resources)["Resource"].remove(
            {"Fn::Sub": "${BatchBucket.Arn}/replays/*"}
        ),
    ),
    (
        "E9130",
        ":secret:CacheSecret, but SecretsEndpoint does not allow it",
        lambda resources: _find("SecretsEndpoint", "secretsmanager:GetSecretValue")(resources)["Resource"].pop(),
    ),
    (
        "E9130",
        "HealthCheckFunction may s3:GetObject",
        lambda resources: resources.update(
            Another={
                "Type": "AWS::IAM::Policy",
                "Properties": {
                    "PolicyName": "another",
                    "Roles": [{"Ref": "HealthCheckFunctionRole"}],
                    "PolicyDocument": {
                        "Version": "2012-10-17",
                        "Statement": [
                            {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::elsewhere/*"}
                        ],
                    },
                },
            }
        ),
    ),
    (
        "E9130",
        "MigrateFunction may s3:PutObject on arn:aws:s3:::cloudformation-custom-resource-response-useast1/*",
        lambda resources: resources["S3Endpoint"]["Properties"]["PolicyDocument"]["Statement"][-1].update(
            Resource={"Fn::Sub": "arn:${AWS::Partition}:s3:::cloudformation-custom-resource-response-${AWS::Region}/*"}
        ),
    ),
    (
        "E9131",
        "LoadFunction is in the VPC and may call s3, but reaches no endpoint",
        lambda resources: resources.pop("RouteB"),
    ),
    (
        "E9131",
        "GetFunction is in the VPC and may call secretsmanager, but reaches no endpoint",
        put("SecretsEndpoint", False, "PrivateDnsEnabled"),
    ),
    (
        "E9131",
        "PlanFunction is in the VPC and may call secretsmanager, but reaches no endpoint",
        put("EndpointGroup", [], "SecurityGroupIngress"),
    ),
    (
        "E9131",
        "RebuildFunction is in the VPC and may call sns, but reaches no endpoint",
        lambda resources: resources["RebuildFunction"]["Properties"]["Policies"][0]["Statement"][0].update(
            Action="sns:Publish"
        ),
    ),
]
