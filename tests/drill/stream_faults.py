"""Faults of the stream: puts, transform, buckets and quotas. As in `alarm_faults`, each yields an act."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from uuid import uuid4

from tests.drill.alarm_faults import missing_handlers
from tests.drill.alarm_site import AlarmSite
from tests.drill.alarm_traffic import Act, canaries, crowd, write
from tests.stack.faults import firehose_fault


@contextmanager
def record_that_is_no_write(site: AlarmSite) -> Iterator[Act]:
    """Something else puts a record on the stream."""
    stream = site.stack.outputs["StreamName"]
    site.client("firehose").put_record(DeliveryStreamName=stream, Record={"Data": b"not a write\n"})
    yield lambda: None


@contextmanager
def refusing_stream(site: AlarmSite) -> Iterator[Act]:
    """Firehose refuses every put, and writes of clients fail."""
    with firehose_fault(site.stack, {"fail_puts": -1}), crowd(partial(write, site)) as act:
        yield act


@contextmanager
def refusing_stream_for_canary(site: AlarmSite) -> Iterator[Act]:
    """Firehose refuses every put, and so those of the canary's writes."""
    with firehose_fault(site.stack, {"fail_puts": -1}), canaries(site) as act:
        yield act


@contextmanager
def silent_stream(site: AlarmSite) -> Iterator[Act]:
    """Firehose takes the connections of PostFunction and does not answer."""
    client, name = site.client("lambda"), site.ids["PostFunction"]
    environment = client.get_function_configuration(FunctionName=name)["Environment"]
    with socket.create_server(("127.0.0.1", 0), backlog=128) as silent, crowd(partial(write, site)) as act:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        variables = {**environment["Variables"], "AWS_ENDPOINT_URL_FIREHOSE": address}
        client.update_function_configuration(FunctionName=name, Environment={"Variables": variables})
        try:
            yield act
        finally:
            client.update_function_configuration(FunctionName=name, Environment=environment)


@contextmanager
def transform_without_code(site: AlarmSite) -> Iterator[Act]:
    """Firehose calls a transform whose handler does not exist. Clients still write."""
    with missing_handlers(site, ["TransformFunction"]):
        yield lambda: write(site)


@contextmanager
def stream_without_bucket(site: AlarmSite, part: str) -> Iterator[Act]:
    """The stream delivers into a bucket that does not exist. `part` is BatchBucket or ArchiveBucket."""
    with _redirected_stream(site, part):
        write(site)
        _age_spool(site)
        yield lambda: write(site)


@contextmanager
def _redirected_stream(site: AlarmSite, part: str) -> Iterator[None]:
    client, name = site.client("firehose"), site.stack.outputs["StreamName"]

    def update(bucket: str) -> None:
        described = client.describe_delivery_stream(DeliveryStreamName=name)["DeliveryStreamDescription"]
        target: dict[str, Any] = {"BucketARN": f"arn:aws:s3:::{bucket}"}
        client.update_destination(
            DeliveryStreamName=name,
            CurrentDeliveryStreamVersionId=described["VersionId"],
            DestinationId=described["Destinations"][0]["DestinationId"],
            ExtendedS3DestinationUpdate=target if part == "BatchBucket" else {"S3BackupUpdate": target},
        )

    bucket = f"missing-{uuid4()}"
    update(bucket)
    try:
        yield
    finally:
        # A delivery that has begun keeps its bucket, so the bucket must exist now.
        site.recovery.s3.create_bucket(Bucket=bucket)
        update(site.ids[part])


def _age_spool(site: AlarmSite) -> None:
    """Let the records that wait in the stream have arrived 32 minutes ago. The emulator is killed meanwhile."""
    site.stack.emulator.kill()
    for segment in (site.stack.folder.emulator / "services" / "firehose").rglob("*.jsonl"):
        lines = [json.loads(line) for line in segment.read_text().splitlines()]
        for line in lines:
            if "at" in line:
                line["at"] -= 32 * 60_000
        segment.write_text("".join(json.dumps(line) + "\n" for line in lines))
    site.stack.emulator.start()


@contextmanager
def tiny_quotas(site: AlarmSite) -> Iterator[Act]:
    """Clients write more than the stream's quotas allow. The writes are real, the values of the quotas are put."""
    dimensions = [{"Name": "DeliveryStreamName", "Value": site.stack.outputs["StreamName"]}]
    limits = ("BytesPerSecondLimit", "RecordsPerSecondLimit", "PutRequestsPerSecondLimit")
    data: list[Any] = [{"MetricName": name, "Dimensions": dimensions, "Value": 0.001} for name in limits]

    def act() -> None:
        site.client("cloudwatch").put_metric_data(Namespace="AWS/Firehose", MetricData=data)
        write(site)

    yield act
