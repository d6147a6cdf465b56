"""The archive can't be lost by a mistake: whatever a role of the stack comes to be allowed, it takes nothing away."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from local.stack import Stack

pytestmark = pytest.mark.stack("first")

ANYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
# It stays, and is none of those that a replay or a rebuild reads.
KEY = "kept"

# What would take source records away, at once or with time.
LOSSES: dict[str, Callable[[Any, str, str], object]] = {
    "delete an object": lambda s3, bucket, _: s3.delete_object(Bucket=bucket, Key=KEY),
    "delete a version": lambda s3, bucket, version: s3.delete_object(Bucket=bucket, Key=KEY, VersionId=version),
    "suspend versions": lambda s3, bucket, _: s3.put_bucket_versioning(
        Bucket=bucket, VersioningConfiguration={"Status": "Suspended"}
    ),
    "let objects expire": lambda s3, bucket, _: s3.put_bucket_lifecycle_configuration(
        Bucket=bucket,
        LifecycleConfiguration={
            "Rules": [{"ID": "soon", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}]
        },
    ),
    "remove the policy": lambda s3, bucket, _: s3.delete_bucket_policy(Bucket=bucket),
    "replace the policy": lambda s3, bucket, _: s3.put_bucket_policy(
        Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": []})
    ),
    "delete the bucket": lambda s3, bucket, _: s3.delete_bucket(Bucket=bucket),
}


@contextmanager
def allowed_anything(stack: Stack, role: str) -> Iterator[Any]:
    """S3 as a role sees it that may, by its own policies, do anything with it."""
    iam = stack.aws_client("iam")
    iam.put_role_policy(RoleName=role, PolicyName="anything", PolicyDocument=json.dumps(ANYTHING))
    try:
        arn = iam.get_role(RoleName=role)["Role"]["Arn"]
        account = arn.split(":")[4]  # by which Firehose knows whose role it takes
        given = stack.aws_client("sts").assume_role(RoleArn=arn, RoleSessionName="mistake", ExternalId=account)[
            "Credentials"
        ]
        session = boto3.Session(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
        yield session.client("s3", endpoint_url=stack.emulator.url, region_name="us-east-1")
    finally:
        iam.delete_role_policy(RoleName=role, PolicyName="anything")


def roles(stack: Stack) -> dict[str, str]:
    """The names of the stack's roles by their names in the template."""
    pages = stack.aws_client("cloudformation").get_paginator("list_stack_resources").paginate(StackName="sluice-local")
    found = [resource for page in pages for resource in page["StackResourceSummaries"]]
    return {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for resource in found
        if resource["ResourceType"] == "AWS::IAM::Role"
    }


def outcome(call: Callable[[], object]) -> str:
    try:
        call()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "done"


def test_no_role_of_the_stack_can_lose_the_archive(stack: Stack) -> None:
    bucket, s3 = stack.outputs["ArchiveBucketName"], stack.aws_client("s3")
    version = s3.put_object(Bucket=bucket, Key=KEY, Body=b"kept")["VersionId"]
    found = roles(stack)
    assert len(found) > 20
    for logical, role in sorted(found.items()):
        with allowed_anything(stack, role) as theirs:
            assert theirs.get_object(Bucket=bucket, Key=KEY)["Body"].read() == b"kept"
            outcomes = {name: outcome(partial(loss, theirs, bucket, version)) for name, loss in LOSSES.items()}
        assert outcomes == dict.fromkeys(LOSSES, "AccessDenied"), logical
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"


@pytest.mark.parametrize("kept", ["ArchiveBucket", "ArchiveBucketPolicy"])
def test_the_archive_and_its_lock_outlive_the_stack(stack: Stack, kept: str) -> None:
    template = stack.aws_client("cloudformation").get_template(StackName="sluice-local", TemplateStage="Processed")
    body = template["TemplateBody"]
    resources = (json.loads(body) if isinstance(body, str) else body)["Resources"]
    assert (resources[kept]["DeletionPolicy"], resources[kept]["UpdateReplacePolicy"]) == ("Retain", "Retain")
