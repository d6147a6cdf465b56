import json
from typing import Any
from uuid import uuid4

from testkit.emulator_harness import Emulator


def test_a_bucket_that_requires_tls_can_be_used(emulator: Emulator) -> None:
    bucket = f"tls-{uuid4().hex}"
    emulator.client("s3").create_bucket(Bucket=bucket)
    s3 = _create_user_client(emulator)
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    emulator.client("s3").put_bucket_policy(
        Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )
    s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"x"


def _create_user_client(emulator: Emulator) -> Any:
    """Return the client of a user with all permissions for S3: a bucket policy does not restrict the root user."""
    iam, name = emulator.client("iam"), f"user-{uuid4().hex}"
    iam.create_user(UserName=name)
    allow = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iam.put_user_policy(UserName=name, PolicyName="s3", PolicyDocument=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return emulator.client("s3", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
