"""Whom a bucket's policy denies what."""

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.emulator.harness import Emulator

ANYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
}


def _as_role(emulator: Emulator, name: str) -> tuple[str, Any]:
    """A new role that may do anything with S3: its ARN, and S3 as it sees it."""
    iam = emulator.client("iam")
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="anything", PolicyDocument=json.dumps(ANYTHING))
    given = emulator.client("sts").assume_role(RoleArn=arn, RoleSessionName="trial")["Credentials"]
    session = boto3.Session(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    return arn, session.client("s3", endpoint_url=emulator.url, region_name="us-east-1")


def test_a_role_is_denied_by_its_own_arn_and_another_is_not(emulator: Emulator) -> None:
    s3 = emulator.client("s3")
    s3.create_bucket(Bucket="guarded")
    arn, denied = _as_role(emulator, "denied")
    _, other = _as_role(emulator, "other")
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
