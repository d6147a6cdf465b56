"""The metrics that AWS services emit, each caused by what it counts."""

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from testkit.emulator_harness import (
    Emulator,
    build_function,
    deploy_stack,
    invoke_function,
    start_emulator,
    wait_until,
)
from tests.emulator.firehose_streams import build_destination, create_stream, create_transformed_stream
from tests.emulator.metric_reader import MetricReader

CODE = """
    import time

    def handle(event, context):
        if event.get("fail"):
            raise ValueError("wrong")
        time.sleep(event.get("seconds", 0))
        status = int((event.get("queryStringParameters") or {}).get("status", 200))
        return {"statusCode": status, "body": "done"}
"""
STATES = {
    "Passing": {"StartAt": "Ends", "States": {"Ends": {"Type": "Succeed"}}},
    "Failing": {"StartAt": "Ends", "States": {"Ends": {"Type": "Fail", "Error": "Failed"}}},
    "Waiting": {"StartAt": "Waits", "States": {"Waits": {"Type": "Wait", "Seconds": 600, "End": True}}},
}


def _build_template() -> dict[str, Any]:
    events = {
        path: {"Type": "Api", "Properties": {"RestApiId": {"Ref": "Api"}, "Path": f"/{path}", "Method": "GET"}}
        for path in ("cached", "plain")
    }
    api = {
        "StageName": "live",
        "Name": "counted-api",
        "CacheClusterEnabled": True,
        "CacheClusterSize": "0.5",
        "MethodSettings": [
            {"ResourcePath": "/*", "HttpMethod": "*", "CachingEnabled": True, "CacheTtlInSeconds": 60},
            {"ResourcePath": "/~1plain", "HttpMethod": "GET", "CachingEnabled": False},
        ],
    }
    workflows = {
        name: {"Type": "AWS::Serverless::StateMachine", "Properties": {"Definition": definition}}
        for name, definition in STATES.items()
    }
    functions = {name: build_function(CODE) for name in ("Direct", "Late", "Busy")}
    functions["Busy"]["Properties"]["ReservedConcurrentExecutions"] = 1
    names = ["Served", *functions, *workflows, "Api"]
    return {
        "Resources": {
            "Api": {"Type": "AWS::Serverless::Api", "Properties": api},
            "Served": build_function(CODE, Events=events),
            **functions,
            **workflows,
        },
        "Outputs": {name: {"Value": {"Ref": name}} for name in names},
    }


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    started = start_emulator(tmp_path_factory.mktemp("metrics"), SLUICE_MINUTE_SECONDS="1")
    yield started
    started.stop()


@pytest.fixture(scope="module")
def names(emulator: Emulator) -> dict[str, str]:
    return deploy_stack(emulator, "counted", _build_template())


@pytest.fixture(scope="module")
def metrics(emulator: Emulator) -> MetricReader:
    return MetricReader(emulator)


def test_direct_invocations_and_errors_count(emulator: Emulator, names: dict[str, str], metrics: MetricReader) -> None:
    function = names["Direct"]
    invoke_function(emulator, function, {"seconds": 0.05})
    invoke_function(emulator, function, {"fail": True})

    def read(name: str, statistic: str = "Sum") -> float | None:
        return metrics.read(f"AWS/Lambda:{name}", statistic, FunctionName=function)

    assert (read("Invocations"), read("Errors"), read("Throttles")) == (2, 1, 0)
    assert read("ConcurrentExecutions", "Maximum") == 1
    assert read("Duration", "SampleCount") == 2
    assert 50 <= (read("Duration", "Maximum") or 0) < 10_000
    assert metrics.read_unit("AWS/Lambda:Duration", FunctionName=function) == "Milliseconds"


def test_an_asynchronous_invocation_counts_its_attempts(
    emulator: Emulator, names: dict[str, str], metrics: MetricReader
) -> None:
    function = names["Late"]
    invoke_function(emulator, function, {}, InvocationType="Event")
    wait_until(lambda: metrics.read("AWS/Lambda:Invocations", FunctionName=function) == 1)
    assert metrics.read("AWS/Lambda:Errors", FunctionName=function) == 0
    emulator.client("lambda").put_function_event_invoke_config(FunctionName=function, MaximumRetryAttempts=0)
    invoke_function(emulator, function, {"fail": True}, InvocationType="Event")
    wait_until(lambda: metrics.read("AWS/Lambda:Errors", FunctionName=function) == 1)
    assert metrics.read("AWS/Lambda:Invocations", FunctionName=function) == 2


def test_a_throttled_invocation_counts_only_as_one(
    emulator: Emulator, names: dict[str, str], metrics: MetricReader
) -> None:
    function = names["Busy"]
    invoke_function(emulator, function, {"seconds": 2}, InvocationType="Event")
    wait_until(lambda: metrics.read("AWS/Lambda:ConcurrentExecutions", "Maximum", FunctionName=function) == 1)
    with pytest.raises(emulator.client("lambda").exceptions.ClientError, match="Rate Exceeded"):
        invoke_function(emulator, function, {})
    # The client tries twice.
    assert metrics.read("AWS/Lambda:Throttles", FunctionName=function) == 2
    wait_until(lambda: metrics.read("AWS/Lambda:Invocations", FunctionName=function) == 1)
    assert metrics.read("AWS/Lambda:Errors", FunctionName=function) == 0


def test_requests_to_an_api_count(emulator: Emulator, names: dict[str, str], metrics: MetricReader) -> None:
    url = f"{emulator.url}/_aws/execute-api/{names['Api']}/live"
    before = time.time()
    paths = ("/cached", "/cached", "/plain?status=404", "/plain?status=wrong", "/absent")
    statuses = [httpx.get(f"{url}{path}", timeout=20, trust_env=False).status_code for path in paths]
    elapsed = (time.time() - before) * 1000
    assert statuses == [200, 200, 404, 502, 403]
    for dimensions in ({"ApiName": "counted-api"}, {"ApiName": "counted-api", "Stage": "live"}):

        def read(name: str, statistic: str = "Sum", dimensions: dict[str, str] = dimensions) -> float | None:
            return metrics.read(f"AWS/ApiGateway:{name}", statistic, **dimensions)

        assert (read("Count"), read("4XXError"), read("5XXError")) == (5, 2, 1)
        assert (read("CacheHitCount"), read("CacheMissCount")) == (1, 1)
        assert (read("Latency", "SampleCount"), read("IntegrationLatency", "SampleCount")) == (5, 3)
        assert 0 < (read("IntegrationLatency") or 0) <= (read("Latency") or 0) <= elapsed
    # The function behind the API counts too, and fails once.
    assert metrics.read("AWS/Lambda:Invocations", FunctionName=names["Served"]) == 3
    assert metrics.read("AWS/Lambda:Errors", FunctionName=names["Served"]) == 1


@pytest.mark.parametrize(
    ("workflow", "metric"),
    [("Passing", "ExecutionsSucceeded"), ("Failing", "ExecutionsFailed"), ("Waiting", "ExecutionsAborted")],
)
def test_executions_count(
    emulator: Emulator, names: dict[str, str], metrics: MetricReader, workflow: str, metric: str
) -> None:
    workflows = emulator.client("stepfunctions")
    arn = workflows.start_execution(stateMachineArn=names[workflow], input="{}")["executionArn"]
    if workflow == "Waiting":
        workflows.stop_execution(executionArn=arn)

    def read(name: str, statistic: str = "Sum") -> float | None:
        return metrics.read(f"AWS/States:{name}", statistic, StateMachineArn=names[workflow])

    wait_until(lambda: read(metric) == 1)
    assert read("ExecutionsStarted") == 1
    wait_until(lambda: read("ExecutionTime", "SampleCount") == 1)
    assert 0 <= (read("ExecutionTime") or 0) < 10_000
    others = {"ExecutionsSucceeded", "ExecutionsFailed", "ExecutionsAborted", "ExecutionsTimedOut"} - {metric}
    assert {read(other) for other in others} == {None}


def test_a_stream_counts_what_it_takes_processes_and_delivers(emulator: Emulator, metrics: MetricReader) -> None:
    emulator.client("s3").create_bucket(Bucket="counted-backup")
    stream = create_transformed_stream(
        emulator,
        "counted",
        S3BackupMode="Enabled",
        S3BackupConfiguration=build_destination("counted-backup", 60),
    )

    def read(name: str, statistic: str = "Sum") -> float | None:
        return metrics.read(f"AWS/Firehose:{name}", statistic, DeliveryStreamName=stream.name)

    # A megabyte fills the buffer of the backup.
    put = [b"first", b"drop:second" + b"2" * 600_000, b"fail:third" + b"3" * 600_000]
    stream.firehose.put_record(DeliveryStreamName=stream.name, Record={"Data": b"fourth"})
    stream.put_records(*put)
    size = sum(map(len, put)) + len(b"fourth")
    assert (read("IncomingPutRequests"), read("IncomingRecords"), read("IncomingBytes")) == (2, 4, size)
    assert read("ThrottledRecords") == 0
    wait_until(lambda: read("DeliveryToS3.Records") == 2)
    wait_until(lambda: read("BackupToS3.Records") == 4)
    assert (read("DeliveryToS3.Bytes"), read("BackupToS3.Bytes")) == (len(b"FIRST\n") + len(b"FOURTH\n"), size)
    assert (read("DeliveryToS3.Success", "Average"), read("BackupToS3.Success", "Average")) == (1, 1)
    assert read("SucceedProcessing.Records") == 3
    assert read("ExecuteProcessing.Success", "Average") == 1
    assert 0 < (read("ExecuteProcessing.Duration", "Maximum") or 0) < 10_000
    assert 0 <= (read("DeliveryToS3.DataFreshness", "Maximum") or 0) < 60
    wait_until(lambda: read("BytesPerSecondLimit", "Maximum"))
    limits = [read(f"{name}PerSecondLimit", "Maximum") for name in ("Records", "PutRequests", "Bytes")]
    assert limits == [500_000, 2_000, 5 * 1024**2]


def test_failed_calls_of_the_transform_and_failed_puts_count(emulator: Emulator, metrics: MetricReader) -> None:
    stream = create_transformed_stream(emulator, "failing")
    bucketless = create_stream(emulator, "bucketless", bucket=False)
    stream.put_records(b"raise:now")
    bucketless.put_records(b"lost for now")

    def read(name: str, statistic: str, stream_name: str) -> float | None:
        return metrics.read(f"AWS/Firehose:{name}", statistic, DeliveryStreamName=stream_name)

    wait_until(lambda: read("ExecuteProcessing.Success", "SampleCount", stream.name))
    assert read("ExecuteProcessing.Success", "Average", stream.name) == 0
    assert read("SucceedProcessing.Records", "Sum", stream.name) is None
    wait_until(lambda: read("DeliveryToS3.Success", "SampleCount", bucketless.name))
    assert read("DeliveryToS3.Success", "Average", bucketless.name) == 0
    assert read("DeliveryToS3.Records", "Sum", bucketless.name) is None
    # The record waits: its age grows, although nothing is delivered.
    wait_until(lambda: (read("DeliveryToS3.DataFreshness", "Maximum", bucketless.name) or 0) >= 2)
    emulator.client("firehose").delete_delivery_stream(DeliveryStreamName=bucketless.name)


def test_throttled_records_count(emulator: Emulator, metrics: MetricReader) -> None:
    stream = create_stream(emulator, "throttled")
    file = emulator.state / "services" / "firehose" / "faults.json"
    file.write_text(json.dumps({stream.name: {"fail_share": 0.5}}))
    stream.put_records(b"1", b"2", b"3", b"4")
    file.write_text(json.dumps({stream.name: {}}))
    with pytest.raises(stream.firehose.exceptions.ServiceUnavailableException):
        stream.firehose.put_record(DeliveryStreamName=stream.name, Record={"Data": b"5"})
    file.unlink()

    def read(name: str) -> float | None:
        return metrics.read(f"AWS/Firehose:{name}", DeliveryStreamName=stream.name)

    assert read("ThrottledRecords") == 3
    assert (read("IncomingRecords"), read("IncomingPutRequests")) == (2, 1)


def test_visible_messages_of_a_queue_are_measured_each_minute(emulator: Emulator, metrics: MetricReader) -> None:
    queues = emulator.client("sqs")
    url = queues.create_queue(QueueName="counted-queue")["QueueUrl"]
    metric = "AWS/SQS:ApproximateNumberOfMessagesVisible"
    wait_until(lambda: metrics.read(metric, "SampleCount", QueueName="counted-queue"))
    assert metrics.read(metric, "Maximum", QueueName="counted-queue") == 0
    for _ in range(3):
        queues.send_message(QueueUrl=url, MessageBody="failed")
    wait_until(lambda: metrics.read(metric, "Maximum", QueueName="counted-queue") == 3)
    queues.receive_message(QueueUrl=url, VisibilityTimeout=60)
    wait_until(lambda: _read_newest(metrics, "counted-queue") == 2)


def _read_newest(metrics: MetricReader, queue: str) -> float:
    dimensions = [{"Name": "QueueName", "Value": queue}]
    points = metrics.cloudwatch.get_metric_statistics(
        Namespace="AWS/SQS",
        MetricName="ApproximateNumberOfMessagesVisible",
        Dimensions=dimensions,
        StartTime=time.time() - 60,
        EndTime=time.time() + 1,
        Period=1,
        Statistics=["Minimum"],
    )["Datapoints"]
    return float(max(points, key=lambda point: point["Timestamp"])["Minimum"])
