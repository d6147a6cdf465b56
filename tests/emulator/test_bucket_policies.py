"""A bucket policy denies access to the role that it names."""

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from testkit.emulator_harness import Emulator

ALLOW_S3 = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
}


def _create_role(emulator: Emulator, name: str) -> tuple[str, Any]:
    """Create a role with all permissions for S3 and return its ARN and an S3 client with its credentials."""
    iam = emulator.client("iam")
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="s3", PolicyDocument=json.dumps(ALLOW_S3))
    credentials = emulator.client("sts").assume_role(RoleArn=arn, RoleSessionName="trial")["Credentials"]
    session = boto3.Session(credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"])
    return arn, session.client("s3", endpoint_url=emulator.url, region_name="us-east-1")


def test_a_policy_that_names_a_role_denies_only_that_role(emulator: Emulator) -> None:
    s3 = emulator.client("s3")
    s3.create_bucket(Bucket="guarded")
    arn, denied = _create_role(emulator, "denied")
    _, other = _create_role(emulator, "other")
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutBucketVersioning",
        "Resource": "arn:aws:s3:::guarded",
        "Condition": {"ArnEquals": {"aws:PrincipalArn": [arn]}},
    }
    s3.put_bucket_policy(Bucket="guarded", Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    versioning = {"Bucket": "guarded", "VersioningConfiguration": {"Status": "Suspended"}}
    with pytest.raises(ClientError, match="AccessDenied"):
        denied.put_bucket_versioning(**versioning)
    other.put_bucket_versioning(**versioning)
