import gzip
import json
import re
import signal
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from testkit.emulator_harness import Emulator, wait_until
from tests.emulator.firehose_streams import (
    DeliveryStream,
    build_destination,
    create_stream,
    create_transform,
    create_transformed_stream,
)

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


def test_the_records_of_an_interval_become_one_gzip_in_order(emulator: Emulator) -> None:
    stream = create_stream(
        emulator,
        "interval",
        seconds=1,
        CompressionFormat="GZIP",
        Prefix="batches/!{timestamp:yyyy/MM/dd/HH}/",
        ErrorOutputPrefix="errors/!{firehose:error-output-type}/",
        FileExtension=".jsonl.gz",
    )
    before = datetime.now(UTC)
    stream.put_records(b"one\n", b"two\n")
    emulator.client("firehose").put_record(DeliveryStreamName=stream.name, Record={"Data": b"three\n"})
    time.sleep(0.5)
    assert stream.list_objects() == {}
    objects = wait_until(stream.list_objects)
    assert len(objects) == 1
    key, body = next(iter(objects.items()))
    assert gzip.decompress(body) == b"one\ntwo\nthree\n"
    assert body.count(b"\x1f\x8b\x08") == 1
    match = re.fullmatch(
        rf"batches/(\d{{4}}/\d\d/\d\d/\d\d)/{stream.name}-1-(\d{{4}}(?:-\d\d){{5}})-{UUID}\.jsonl\.gz", key
    )
    assert match
    arrived = datetime.strptime(match[2], "%Y-%m-%d-%H-%M-%S").replace(tzinfo=UTC)
    assert timedelta(seconds=-1) <= arrived - before <= timedelta(seconds=1)
    assert match[1] == arrived.strftime("%Y/%m/%d/%H")


def test_a_full_buffer_does_not_wait_for_the_interval(emulator: Emulator) -> None:
    stream = create_stream(emulator, "size", seconds=900, megabytes=1)
    stream.put_records(*[b"a" * 400_000] * 4)
    assert len(stream.wait_for_object()[1]) == 1_200_000
    time.sleep(0.3)
    assert len(stream.list_objects()) == 1, "the fourth record must wait for more"


def test_an_interval_of_zero_delivers_at_once(emulator: Emulator) -> None:
    stream = create_stream(emulator, "at-once", seconds=0)
    stream.put_records(b"x", b"y")
    key, body = stream.wait_for_object(seconds=2)
    assert body == b"xy"
    assert re.fullmatch(rf"\d{{4}}/\d\d/\d\d/\d\d/{stream.name}-1-\d{{4}}(-\d\d){{5}}-{UUID}", key)


def test_the_time_in_the_key_is_that_of_the_oldest_record(emulator: Emulator) -> None:
    stream = create_stream(
        emulator,
        "oldest",
        seconds=2,
        Prefix="!{timestamp:HH-mm-ss}/!{firehose:random-string}/",
        ErrorOutputPrefix="!{firehose:error-output-type}/",
    )
    before = datetime.now(UTC)
    stream.put_records(b"first")
    time.sleep(1.2)
    stream.put_records(b"second")
    key, body = stream.wait_for_object()
    assert body == b"firstsecond"
    written, random, _ = key.split("/")
    assert written in {(before + timedelta(seconds=late)).strftime("%H-%M-%S") for late in (0, 0.2)}
    assert re.fullmatch(r"[A-Za-z0-9]{11}", random)


def test_a_delivered_object_sends_an_event(emulator: Emulator) -> None:
    stream = create_stream(emulator, "announced", seconds=0)
    emulator.client("s3").put_bucket_notification_configuration(
        Bucket=stream.name, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    sqs, events = emulator.client("sqs"), emulator.client("events")
    queue = sqs.create_queue(QueueName=stream.name)["QueueUrl"]
    pattern = {"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": {"bucket": {"name": [stream.name]}}}
    events.put_rule(Name=stream.name, EventPattern=json.dumps(pattern))
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}],
    }
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(policy)})
    events.put_targets(Rule=stream.name, Targets=[{"Id": "queue", "Arn": arn}])
    stream.put_records(b"x")
    message = wait_until(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"))[0]
    assert json.loads(message["Body"])["detail"]["object"]["key"] == stream.wait_for_object()[0]


def test_records_wait_for_a_missing_bucket(emulator: Emulator) -> None:
    stream = create_stream(emulator, "missing", seconds=0, bucket=False)
    stream.put_records(b"record")
    time.sleep(0.5)
    emulator.client("s3").create_bucket(Bucket=stream.name)
    assert stream.wait_for_object()[1] == b"record"


def test_raw_records_are_backed_up_before_the_transform(emulator: Emulator) -> None:
    backup = "raw-backup"
    emulator.client("s3").create_bucket(Bucket=backup)
    stream = create_transformed_stream(
        emulator,
        "backed-up",
        CompressionFormat="GZIP",
        S3BackupMode="Enabled",
        S3BackupConfiguration=build_destination(
            backup,
            60,
            Prefix="archive/!{timestamp:yyyy/MM/dd/HH}/",
            ErrorOutputPrefix="errors/!{firehose:error-output-type}/",
            CompressionFormat="GZIP",
        ),
    )
    stream.put_records(b"drop:a", b"fail:b", b"c", b"d" * 1_000_000)
    time.sleep(1)
    assert stream.list_objects(bucket=backup) == {}, "neither 1 MB nor 60 seconds are reached"
    stream.put_records(b"e" * 100_000)
    key, raw = stream.wait_for_object(bucket=backup)
    assert raw == b"drop:afail:bc" + b"d" * 1_000_000 + b"e" * 100_000
    assert re.fullmatch(rf"archive/\d{{4}}/\d\d/\d\d/\d\d/{stream.name}-1-[\d-]+-{UUID}\.gz", key)


def test_a_signal_delivers_what_waits_for_its_backup(emulator: Emulator) -> None:
    backup = "signalled-backup"
    emulator.client("s3").create_bucket(Bucket=backup)
    backed_up = build_destination(backup, 900)
    stream = create_stream(emulator, "signalled", seconds=900, S3BackupMode="Enabled", S3BackupConfiguration=backed_up)
    stream.put_records(b"a", b"b")
    time.sleep(0.3)
    assert stream.list_objects(bucket=backup) == {}
    emulator.process.send_signal(signal.SIGUSR1)
    assert stream.wait_for_object(bucket=backup)[1] == b"ab"
    assert stream.list_objects() == {}, "only the backup is hastened"
    stream.put_records(b"c")
    time.sleep(0.3)
    assert len(stream.list_objects(bucket=backup)) == 1, "later records wait again"


def test_a_stream_in_another_region_delivers_there(emulator: Emulator) -> None:
    session: Any = boto3.Session("test", "test", region_name="eu-west-1")
    s3, firehose = (session.client(name, endpoint_url=emulator.url) for name in ("s3", "firehose"))
    s3.create_bucket(Bucket="other-region", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    firehose.create_delivery_stream(
        DeliveryStreamName="other-region", ExtendedS3DestinationConfiguration=build_destination("other-region", 0)
    )
    firehose.put_record_batch(DeliveryStreamName="other-region", Records=[{"Data": b"x"}, {"Data": b"y"}])
    assert [
        entry["Size"] for entry in wait_until(lambda: s3.list_objects_v2(Bucket="other-region").get("Contents"))
    ] == [2]


def test_cloudformation_creates_streams_also_with_numbers_as_text(emulator: Emulator) -> None:
    emulator.client("s3").create_bucket(Bucket="from-stack")
    function = create_transform(emulator.port, "transform")
    destination = {
        **build_destination(
            "from-stack", Prefix="data/!{timestamp:yyyy}/", ErrorOutputPrefix="!{firehose:error-output-type}/"
        ),
        "BufferingHints": {"SizeInMBs": {"Ref": "Megabytes"}, "IntervalInSeconds": {"Ref": "Seconds"}},
        "ProcessingConfiguration": {
            "Enabled": True,
            "Processors": [
                {
                    "Type": "Lambda",
                    "Parameters": [
                        {"ParameterName": "LambdaArn", "ParameterValue": function},
                        {"ParameterName": "BufferIntervalInSeconds", "ParameterValue": {"Ref": "Seconds"}},
                    ],
                }
            ],
        },
    }
    template = {
        "Parameters": {name: {"Type": "Number"} for name in ("Megabytes", "Seconds")},
        "Resources": {
            "Stream": {
                "Type": "AWS::KinesisFirehose::DeliveryStream",
                "Properties": {"DeliveryStreamName": "from-stack", "ExtendedS3DestinationConfiguration": destination},
            }
        },
    }
    cloudformation = emulator.client("cloudformation")

    def deploy(action: str, seconds: str) -> str:
        getattr(cloudformation, f"{action}_stack")(
            StackName="streams",
            TemplateBody=json.dumps(template),
            Parameters=[
                {"ParameterKey": "Megabytes", "ParameterValue": "1"},
                {"ParameterKey": "Seconds", "ParameterValue": seconds},
            ],
        )
        settled = r"(CREATE|UPDATE|ROLLBACK|UPDATE_ROLLBACK)_(COMPLETE|FAILED)"

        def get_settled_status() -> str:
            value = str(cloudformation.describe_stacks(StackName="streams")["Stacks"][0]["StackStatus"])
            return value if re.fullmatch(settled, value) else ""

        return wait_until(get_settled_status)

    assert deploy("create", "0") == "CREATE_COMPLETE"
    stream = DeliveryStream(emulator, "from-stack")
    stream.put_records(b"x", b"y")
    assert stream.wait_for_object("data/")[1] == b"X\nY\n"
    assert deploy("update", "901") == "UPDATE_ROLLBACK_COMPLETE"
    reasons = [
        event.get("ResourceStatusReason", "")
        for event in cloudformation.describe_stack_events(StackName="streams")["StackEvents"]
    ]
    assert any("Member must have value less than or equal to 900" in reason for reason in reasons), reasons


def test_a_deleted_stream_loses_its_records(emulator: Emulator) -> None:
    stream = create_stream(emulator, "deleted", seconds=1)
    stream.put_records(b"old")
    emulator.client("firehose").delete_delivery_stream(DeliveryStreamName=stream.name)
    emulator.client("firehose").create_delivery_stream(
        DeliveryStreamName=stream.name, ExtendedS3DestinationConfiguration=build_destination(stream.name, 1)
    )
    stream.put_records(b"new")
    assert stream.wait_for_object()[1] == b"new"


def test_an_update_increments_the_version_and_cannot_disable_the_backup(emulator: Emulator) -> None:
    emulator.client("s3").create_bucket(Bucket="updated-b")
    stream = create_stream(
        emulator,
        "updated",
        seconds=900,
        S3BackupMode="Enabled",
        S3BackupConfiguration=build_destination("updated-b", 60),
    )
    firehose = emulator.client("firehose")

    def update(version: str, **change: object) -> None:
        description = firehose.describe_delivery_stream(DeliveryStreamName=stream.name)["DeliveryStreamDescription"]
        firehose.update_destination(
            DeliveryStreamName=stream.name,
            CurrentDeliveryStreamVersionId=version,
            DestinationId=description["Destinations"][0]["DestinationId"],
            ExtendedS3DestinationUpdate=change,
        )

    with pytest.raises(ClientError, match="cannot be disabled"):
        update("1", S3BackupMode="Disabled")
    with pytest.raises(ClientError, match="greater than or equal to 60"):
        update("1", S3BackupUpdate={"BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 59}})
    stream.put_records(b"x")
    update("1", BufferingHints={"SizeInMBs": 1, "IntervalInSeconds": 0})
    assert f"{stream.name}-2-" in stream.wait_for_object()[0]
