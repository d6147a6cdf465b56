"""Streams with buckets and a real transform, as the Firehose tests need them."""

import functools
import gzip
import io
import itertools
import json
import zipfile
from dataclasses import dataclass
from typing import Any

import boto3
import botocore.config

from tests.emulator.harness import Emulator, wait_until

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)
# What a record asks for stands before its colon.
TRANSFORM = """
import base64, json, time
RESULTS = {"drop": "Dropped", "fail": "ProcessingFailed", "unknown": "Perhaps"}

def tries(path):
    # Each environment of a function has its own memory and disk, so the test says where to count.
    with open(path, "a+") as file:
        file.write("x")
        return file.tell()

def handle(event, context):
    answers = []
    for record in event["records"]:
        text = base64.b64decode(record["data"]).decode()
        kind, _, rest = text.partition(":")
        if kind == "raise" or (kind == "flaky" and tries(rest) < 3):
            raise RuntimeError("as asked")
        if kind == "missing":
            continue
        made = text.upper() + "\\n"
        if kind == "event":
            made = json.dumps({**event, "records": [record], "count": len(event["records"])}) + "\\n"
        if kind == "slow":
            time.sleep(0.3)
        if kind == "large":
            made = "x" * 5_000_000
        if kind == "count":
            made = str(len(event["records"])) + " "
        data = base64.b64encode(made.encode()).decode()
        answers.append({"recordId": record["recordId"], "result": RESULTS.get(kind, "Ok"), "data": data})
    return {"records": answers}
"""
_numbers = itertools.count()


@dataclass
class Rig:
    """One stream: its bucket is `<name>`, the backup's `<name>-backup`."""

    emulator: Emulator
    name: str

    def put(self, *records: bytes) -> dict[str, Any]:
        entries = [{"Data": record} for record in records]
        found: dict[str, Any] = self.firehose.put_record_batch(DeliveryStreamName=self.name, Records=entries)
        return found

    @functools.cached_property
    def firehose(self) -> Any:
        """A client that tries each put once."""
        return boto3.client(
            "firehose",
            endpoint_url=self.emulator.url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=botocore.config.Config(retries={"total_max_attempts": 1}),
        )

    def objects(self, prefix: str = "", bucket: str = "") -> dict[str, bytes]:
        """Keys and bodies, as they are stored."""
        s3, bucket = self.emulator.client("s3"), bucket or self.name
        listed = s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
        return {entry["Key"]: s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read() for entry in listed}

    def one(self, prefix: str = "", bucket: str = "", seconds: float = 10) -> tuple[str, bytes]:
        """The key of the one object, waited for, and its body, out of its GZIP if it has one."""
        found = wait_until(lambda: self.objects(prefix, bucket), seconds)
        assert len(found) == 1, list(found)
        key, body = next(iter(found.items()))
        return key, gzip.decompress(body) if key.endswith(".gz") else body

    def errors(self, seconds: float = 10) -> list[dict[str, Any]]:
        """The lines of the one object under the error prefix."""
        return [json.loads(line) for line in self.one("errors/", seconds=seconds)[1].splitlines()]


def place(name: str, seconds: int = 0, megabytes: int = 1, **more: Any) -> dict[str, Any]:
    """An S3 destination that delivers to the bucket `name`."""
    return {
        "RoleARN": "arn:aws:iam::000000000000:role/firehose",
        "BucketARN": f"arn:aws:s3:::{name}",
        "BufferingHints": {"SizeInMBs": megabytes, "IntervalInSeconds": seconds},
        **more,
    }


def lambda_processor(function: str, seconds: float = 0, megabytes: float = 1) -> dict[str, Any]:
    given = {"LambdaArn": function, "BufferIntervalInSeconds": str(seconds), "BufferSizeInMBs": str(megabytes)}
    parameters = [{"ParameterName": name, "ParameterValue": value} for name, value in given.items()]
    return {"Enabled": True, "Processors": [{"Type": "Lambda", "Parameters": parameters}]}


def rig(emulator: Emulator, kind: str, *, bucket: bool = True, **destination: Any) -> Rig:
    """A stream of its own with the destination `place(**destination)`."""
    name = f"{kind}-{next(_numbers)}"
    if bucket:
        emulator.client("s3").create_bucket(Bucket=name)
    emulator.client("firehose").create_delivery_stream(
        DeliveryStreamName=name, ExtendedS3DestinationConfiguration=place(name, **destination)
    )
    return Rig(emulator, name)


def transformed(emulator: Emulator, kind: str, *, function: str = "", **destination: Any) -> Rig:
    """A stream with the transform, and with `errors/` as its error prefix."""
    hints = {key: destination.pop(f"call_{key}") for key in ("seconds", "megabytes") if f"call_{key}" in destination}
    return rig(
        emulator,
        kind,
        Prefix="data/!{timestamp:yyyy}/",
        ErrorOutputPrefix="errors/!{firehose:error-output-type}/",
        ProcessingConfiguration=lambda_processor(function or transform(emulator.port, "transform"), **hints),
        **destination,
    )


@functools.cache
def transform(port: int, name: str) -> str:
    """The ARN of a function of the emulator at `port` with the code above."""
    emulator = Emulator(port, None, None, None)  # type: ignore[arg-type]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("transform.py", TRANSFORM)
    role = emulator.client("iam").create_role(RoleName=f"{name}-role", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    return str(
        emulator.client("lambda").create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=role,
            Handler="transform.handle",
            Code={"ZipFile": archive.getvalue()},
            Timeout=30,
        )["FunctionArn"]
    )
