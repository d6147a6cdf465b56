"""Faults of a deployed stack. Each is a context manager: inside, the fault lasts, and calling its value provokes it."""

import json
import random
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from os import kill
from typing import Any
from uuid import uuid4

import httpx
from botocore.exceptions import ClientError

from sluice.schema.custom_resource import read_deployment
from tests.drill.alarm_site import ROOT, AlarmSite
from tests.stack.faults import firehose_fault
from tests.stack.rebuild_harness import RebuildHarness
from tests.stack.samples import booking

Act = Callable[[], object]
EVENTS = ROOT / "events"
MISSING_HANDLER = "sluice.handlers.missing.handle"


def list_watched_functions(site: AlarmSite, metric: str) -> list[str]:
    """The logical ids of the functions whose metric an alarm watches."""
    alarms = [entry["Properties"] for entry in site.descriptions.values()]
    watched = [
        dimension["Value"]["Ref"]
        for alarm in alarms
        if alarm.get("Namespace") == "AWS/Lambda" and alarm["MetricName"] == metric
        for dimension in alarm["Dimensions"]
    ]
    return sorted(set(watched))


def _invoke_all(site: AlarmSite, functions: list[str]) -> None:
    client = site.client("lambda")

    def invoke(function: str) -> None:
        with suppress(ClientError):
            client.invoke(FunctionName=site.ids[function], Payload=b"{}")

    with ThreadPoolExecutor(len(functions)) as executor:
        list(executor.map(invoke, functions))


@contextmanager
def functions_without_code(site: AlarmSite) -> Iterator[Act]:
    """A handler that does not exist, as after the deployment of an incomplete package."""
    client, functions = site.client("lambda"), list_watched_functions(site, "Errors")
    before = {name: client.get_function_configuration(FunctionName=site.ids[name])["Handler"] for name in functions}
    for name in functions:
        client.update_function_configuration(FunctionName=site.ids[name], Handler=MISSING_HANDLER)
    try:
        yield lambda: _invoke_all(site, functions)
    finally:
        for name, handler in before.items():
            client.update_function_configuration(FunctionName=site.ids[name], Handler=handler)


@contextmanager
def functions_without_concurrency(site: AlarmSite) -> Iterator[Act]:
    """No reserved concurrency is left, as when others use all of it."""
    client, functions = site.client("lambda"), list_watched_functions(site, "Throttles")
    before = {name: client.get_function_concurrency(FunctionName=site.ids[name]) for name in functions}
    for name in functions:
        client.put_function_concurrency(FunctionName=site.ids[name], ReservedConcurrentExecutions=0)
    try:
        yield lambda: _invoke_all(site, functions)
    finally:
        for name, settings in before.items():
            reserved = settings.get("ReservedConcurrentExecutions")
            if reserved is None:
                client.delete_function_concurrency(FunctionName=site.ids[name])
            else:
                client.put_function_concurrency(FunctionName=site.ids[name], ReservedConcurrentExecutions=reserved)


@contextmanager
def unreadable_batch(site: AlarmSite) -> Iterator[Act]:
    """A batch that is no gzip file is delivered."""
    key = f"batches/2026/01/01/00/unreadable-{uuid4()}.jsonl.gz"
    site.recovery.s3.put_object(Bucket=site.recovery.bucket, Key=key, Body=b"not gzip")
    yield lambda: None


@contextmanager
def refused_inputs(site: AlarmSite) -> Iterator[Act]:
    """Executions start with an input that their workflow refuses."""
    inputs = {"Replay": {"from": "yesterday"}, "Rebuild": {"as_of": "yesterday"}, "Recover": {"days": "many"}}
    for workflow, input_ in inputs.items():
        site.recovery.start_workflow(workflow, input_)
    yield lambda: None


@contextmanager
def stopped_executions(site: AlarmSite) -> Iterator[Act]:
    """Somebody stops an execution of each workflow. They wait for a throttled function meanwhile."""
    states = site.client("stepfunctions")
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    load = {"bucket": site.recovery.bucket, "key": "batches/2026/01/01/00/none.jsonl.gz", "etag": "0"}
    delivered = json.loads((EVENTS / "load_batch" / "delivered.json").read_text())
    delivered["detail"]["bucket"]["name"], delivered["detail"]["object"]["key"] = load["bucket"], load["key"]
    inputs = {"Load": delivered, "Replay": {}, "Recover": {"trigger": "operator"}, "Rebuild": {"as_of": now}}
    with functions_without_concurrency(site):
        for workflow, input_ in inputs.items():
            execution = site.recovery.start_workflow(workflow, input_)
            states.stop_execution(executionArn=execution, error="Stopped", cause="an operator stopped it")
        yield lambda: None


@contextmanager
def rollback_without_primary(site: AlarmSite) -> Iterator[Act]:
    """CloudFormation rolls a deployment back while the primary is unavailable."""
    s3, bucket = site.recovery.s3, site.recovery.bucket
    event = json.loads((EVENTS / "migrate" / "create.json").read_text())
    # CloudFormation's address for the response is one of S3 as well.
    address = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "response"}, ExpiresIn=600)
    event |= {"RequestType": "Update", "ResponseURL": address, "OldResourceProperties": {}}
    event["PhysicalResourceId"] = f"Migration {_compute_deployment(event)}"
    site.stack.pair.primary.kill()
    try:
        client = site.client("lambda")
        client.invoke(FunctionName=site.ids["MigrateFunction"], Payload=json.dumps(event).encode())
        yield lambda: None
    finally:
        site.stack.pair.start()


def _compute_deployment(event: dict[str, Any]) -> str:
    return read_deployment(event).build_physical_id("Migration").split(" ")[1]


@contextmanager
def record_that_is_no_write(site: AlarmSite) -> Iterator[Act]:
    """Something else puts a record on the stream."""
    _put_record(site, b"not a write\n")
    yield lambda: None


def _put_record(site: AlarmSite, data: bytes) -> None:
    stream = site.stack.outputs["StreamName"]
    site.client("firehose").put_record(DeliveryStreamName=stream, Record={"Data": data})


@contextmanager
def write_that_no_table_takes(site: AlarmSite) -> Iterator[Act]:
    """A write is on the stream that the API would refuse, and the database rejects it."""
    RebuildHarness(site.stack).write_invalid_item("AL")
    yield lambda: None


@contextmanager
def killed_primary(site: AlarmSite) -> Iterator[Act]:
    """The primary is down, and clients write on."""
    site.stack.pair.primary.kill()
    try:
        yield lambda: write(site)
    finally:
        site.stack.pair.start()


@contextmanager
def killed_cache(site: AlarmSite) -> Iterator[Act]:
    site.stack.cache.kill()
    try:
        yield lambda: read(site)
    finally:
        site.stack.cache.start()


@contextmanager
def refusing_stream(site: AlarmSite) -> Iterator[Act]:
    """Firehose refuses every put, and writes of clients fail."""
    with firehose_fault(site.stack, {"fail_puts": -1}), ThreadPoolExecutor(12) as executor:
        yield lambda: [executor.submit(write, site) for _ in range(2) if executor._work_queue.qsize() < 24]
        executor.shutdown(cancel_futures=True)


@contextmanager
def silent_stream(site: AlarmSite) -> Iterator[Act]:
    """Firehose takes the connections of PostFunction and does not answer."""
    client, name = site.client("lambda"), site.ids["PostFunction"]
    environment = client.get_function_configuration(FunctionName=name)["Environment"]
    with socket.create_server(("127.0.0.1", 0), backlog=128) as silent, ThreadPoolExecutor(12) as executor:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        variables = {**environment["Variables"], "AWS_ENDPOINT_URL_FIREHOSE": address}
        client.update_function_configuration(FunctionName=name, Environment={"Variables": variables})
        try:
            yield lambda: [executor.submit(write, site) for _ in range(2) if executor._work_queue.qsize() < 24]
        finally:
            client.update_function_configuration(FunctionName=name, Environment=environment)
            executor.shutdown(cancel_futures=True)


@contextmanager
def frozen_replica(site: AlarmSite) -> Iterator[Act]:
    """The replica no longer answers, though its connections are open."""
    pid = site.stack.pair.replica.pid
    assert pid
    kill(pid, signal.SIGSTOP)
    with ThreadPoolExecutor(12) as executor:
        try:
            yield lambda: [executor.submit(read, site) for _ in range(2) if executor._work_queue.qsize() < 24]
        finally:
            executor.shutdown(cancel_futures=True, wait=False)
            kill(pid, signal.SIGCONT)


@contextmanager
def refusing_stream_for_canary(site: AlarmSite) -> Iterator[Act]:
    """Firehose refuses every put, and so those of the canary's writes."""
    with firehose_fault(site.stack, {"fail_puts": -1}), canaries(site) as act:
        yield act


@contextmanager
def killed_databases(site: AlarmSite) -> Iterator[Act]:
    """Neither server is there: writes are accepted, reads fail, and no write becomes readable."""
    site.stack.pair.primary.kill()
    site.stack.pair.replica.kill()
    try:
        with canaries(site) as act:
            yield act
    finally:
        site.stack.pair.start()


@contextmanager
def no_canary(_site: AlarmSite) -> Iterator[Act]:
    """Nothing invokes the canary: its schedule is disabled in this stack."""
    yield lambda: None


@contextmanager
def canaries(site: AlarmSite) -> Iterator[Act]:
    """Start the canary once a second, in 6 environments: a failed run takes seconds, and alarms count bad minutes."""
    started_at = 0.0

    def start_canary() -> None:
        nonlocal started_at
        if time.monotonic() - started_at >= 1 and not executor._work_queue.qsize():
            started_at = time.monotonic()
            executor.submit(run_canary, site)

    with ThreadPoolExecutor(6) as executor:
        yield start_canary
        executor.shutdown(cancel_futures=True)


def run_canary(site: AlarmSite) -> None:
    with suppress(ClientError):
        site.client("lambda").invoke(FunctionName=site.ids["CanaryFunction"], Payload=b"{}")


def write(site: AlarmSite) -> None:
    with suppress(httpx.HTTPError):
        site.http.post("/v1/bookings", json=booking())


def read(site: AlarmSite) -> None:
    # Another one each time, so that API Gateway's cache answers few.
    with suppress(httpx.HTTPError):
        site.http.get(f"/v1/airports/{random.choice(site.airports)}")


@contextmanager
def dead_letter(site: AlarmSite) -> Iterator[Act]:
    """An event could not start its target. The drill sends it: the local EventBridge has no dead letters.

    Afterwards an operator empties the queue.
    """
    queues, queue = site.client("sqs"), site.ids["EventDeadLetters"]
    queues.send_message(QueueUrl=queue, MessageBody='{"detail-type": "Object Created"}')
    yield lambda: None
    queues.purge_queue(QueueUrl=queue)


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
        [described] = [client.describe_delivery_stream(DeliveryStreamName=name)["DeliveryStreamDescription"]]
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
        # A delivery that has begun keeps its bucket, so somebody creates it.
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
def transform_without_code(site: AlarmSite) -> Iterator[Act]:
    """Firehose calls a transform whose handler does not exist. Clients still write."""
    client, name = site.client("lambda"), site.ids["TransformFunction"]
    handler = client.get_function_configuration(FunctionName=name)["Handler"]
    client.update_function_configuration(FunctionName=name, Handler=MISSING_HANDLER)
    try:
        yield lambda: write(site)
    finally:
        client.update_function_configuration(FunctionName=name, Handler=handler)


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
