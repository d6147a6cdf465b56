"""Firehose streams with their buckets and a real transform, for the Firehose tests."""

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

from testkit.emulator_harness import Emulator, wait_until

TRUST_POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)
# The word before the colon of a record says what the transform does with it.
TRANSFORM_CODE = """
import base64, json, time
RESULTS = {"drop": "Dropped", "fail": "ProcessingFailed", "unknown": "Perhaps"}

def count_attempts(path):
    # Each environment of a function has its own memory and disk, so the test names the file to count in.
    with open(path, "a+") as file:
        file.write("x")
        return file.tell()

def handle(event, context):
    entries = []
    for record in event["records"]:
        text = base64.b64decode(record["data"]).decode()
        kind, _, rest = text.partition(":")
        if kind == "raise" or (kind == "flaky" and count_attempts(rest) < 3):
            raise RuntimeError("the record asks for it")
        if kind == "missing":
            continue
        transformed = text.upper() + "\\n"
        if kind == "event":
            transformed = json.dumps({**event, "records": [record], "count": len(event["records"])}) + "\\n"
        if kind == "slow":
            time.sleep(0.3)
        if kind == "large":
            transformed = "x" * 5_000_000
        if kind == "count":
            transformed = str(len(event["records"])) + " "
        data = base64.b64encode(transformed.encode()).decode()
        entries.append({"recordId": record["recordId"], "result": RESULTS.get(kind, "Ok"), "data": data})
    return {"records": entries}
"""
_numbers = itertools.count()


@dataclass
class DeliveryStream:
    """One stream: its bucket is `<name>`, the backup's `<name>-backup`."""

    emulator: Emulator
    name: str

    def put_records(self, *records: bytes) -> dict[str, Any]:
        entries = [{"Data": record} for record in records]
        response: dict[str, Any] = self.firehose.put_record_batch(DeliveryStreamName=self.name, Records=entries)
        return response

    @functools.cached_property
    def firehose(self) -> Any:
        """A client that does not retry."""
        return boto3.client(
            "firehose",
            endpoint_url=self.emulator.url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=botocore.config.Config(retries={"total_max_attempts": 1}),
        )

    def list_objects(self, prefix: str = "", bucket: str = "") -> dict[str, bytes]:
        """Return the stored bodies by key."""
        s3, bucket = self.emulator.client("s3"), bucket or self.name
        listed = s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
        return {entry["Key"]: s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read() for entry in listed}

    def wait_for_object(self, prefix: str = "", bucket: str = "", seconds: float = 10) -> tuple[str, bytes]:
        """Wait for the only object and return its key and its decompressed body."""
        objects = wait_until(lambda: self.list_objects(prefix, bucket), seconds)
        assert len(objects) == 1, list(objects)
        key, body = next(iter(objects.items()))
        return key, gzip.decompress(body) if key.endswith(".gz") else body

    def wait_for_errors(self, seconds: float = 10) -> list[dict[str, Any]]:
        """Wait for the only object under the error prefix and return its lines."""
        return [json.loads(line) for line in self.wait_for_object("errors/", seconds=seconds)[1].splitlines()]


def build_destination(name: str, seconds: int = 0, megabytes: int = 1, **more: Any) -> dict[str, Any]:
    """Build an S3 destination that delivers to the bucket `name`."""
    return {
        "RoleARN": "arn:aws:iam::000000000000:role/firehose",
        "BucketARN": f"arn:aws:s3:::{name}",
        "BufferingHints": {"SizeInMBs": megabytes, "IntervalInSeconds": seconds},
        **more,
    }


def build_processor(function: str, seconds: float = 0, megabytes: float = 1) -> dict[str, Any]:
    values = {"LambdaArn": function, "BufferIntervalInSeconds": str(seconds), "BufferSizeInMBs": str(megabytes)}
    parameters = [{"ParameterName": name, "ParameterValue": value} for name, value in values.items()]
    return {"Enabled": True, "Processors": [{"Type": "Lambda", "Parameters": parameters}]}


def create_stream(emulator: Emulator, kind: str, *, bucket: bool = True, **destination: Any) -> DeliveryStream:
    """Create a stream with the destination `build_destination(**destination)`."""
    name = f"{kind}-{next(_numbers)}"
    if bucket:
        emulator.client("s3").create_bucket(Bucket=name)
    emulator.client("firehose").create_delivery_stream(
        DeliveryStreamName=name, ExtendedS3DestinationConfiguration=build_destination(name, **destination)
    )
    return DeliveryStream(emulator, name)


def create_transformed_stream(
    emulator: Emulator, kind: str, *, function: str = "", **destination: Any
) -> DeliveryStream:
    """Create a stream with the transform and the error prefix `errors/`."""
    hints = {key: destination.pop(f"call_{key}") for key in ("seconds", "megabytes") if f"call_{key}" in destination}
    return create_stream(
        emulator,
        kind,
        Prefix="data/!{timestamp:yyyy}/",
        ErrorOutputPrefix="errors/!{firehose:error-output-type}/",
        ProcessingConfiguration=build_processor(function or create_transform(emulator.port, "transform"), **hints),
        **destination,
    )


@functools.cache
def create_transform(port: int, name: str) -> str:
    """Create a function with the code above on the emulator at `port` and return its ARN."""
    emulator = Emulator(port, None, None, None)  # type: ignore[arg-type]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("transform.py", TRANSFORM_CODE)
    role = emulator.client("iam").create_role(RoleName=f"{name}-role", AssumeRolePolicyDocument=TRUST_POLICY)["Role"][
        "Arn"
    ]
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
