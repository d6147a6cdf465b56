"""No mistake can lose the archive: whatever its policies allow, a role of the stack cannot delete from it."""

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
# The object stays in the archive; replays and rebuilds do not read it.
KEY = "kept"

# The calls that would delete source records, at once or later.
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
    """An S3 client with a role whose own policies allow everything in S3."""
    iam = stack.aws_client("iam")
    iam.put_role_policy(RoleName=role, PolicyName="anything", PolicyDocument=json.dumps(ANYTHING))
    try:
        arn = iam.get_role(RoleName=role)["Role"]["Arn"]
        account = arn.split(":")[4]  # Firehose sends it when it assumes the role
        credentials = stack.aws_client("sts").assume_role(RoleArn=arn, RoleSessionName="mistake", ExternalId=account)[
            "Credentials"
        ]
        session = boto3.Session(credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"])
        yield session.client("s3", endpoint_url=stack.emulator.url, region_name="us-east-1")
    finally:
        iam.delete_role_policy(RoleName=role, PolicyName="anything")


def list_roles(stack: Stack) -> dict[str, str]:
    """The names of the roles of the stack, by logical id."""
    pages = stack.aws_client("cloudformation").get_paginator("list_stack_resources").paginate(StackName="sluice-local")
    resources = [resource for page in pages for resource in page["StackResourceSummaries"]]
    return {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for resource in resources
        if resource["ResourceType"] == "AWS::IAM::Role"
    }


def run_call(call: Callable[[], object]) -> str:
    try:
        call()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "done"


def test_no_role_of_the_stack_can_lose_the_archive(stack: Stack) -> None:
    bucket, s3 = stack.outputs["ArchiveBucketName"], stack.aws_client("s3")
    version = s3.put_object(Bucket=bucket, Key=KEY, Body=b"kept")["VersionId"]
    roles = list_roles(stack)
    assert len(roles) > 20
    for logical, role in sorted(roles.items()):
        with allowed_anything(stack, role) as role_client:
            assert role_client.get_object(Bucket=bucket, Key=KEY)["Body"].read() == b"kept"
            outcomes = {name: run_call(partial(loss, role_client, bucket, version)) for name, loss in LOSSES.items()}
        assert outcomes == dict.fromkeys(LOSSES, "AccessDenied"), logical
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"


@pytest.mark.parametrize("logical_id", ["ArchiveBucket", "ArchiveBucketPolicy"])
def test_the_archive_and_its_lock_outlive_the_stack(stack: Stack, logical_id: str) -> None:
    template = stack.aws_client("cloudformation").get_template(StackName="sluice-local", TemplateStage="Processed")
    body = template["TemplateBody"]
    resources = (json.loads(body) if isinstance(body, str) else body)["Resources"]
    assert (resources[logical_id]["DeletionPolicy"], resources[logical_id]["UpdateReplacePolicy"]) == (
        "RetainExceptOnCreate",
        "Retain",
    )
