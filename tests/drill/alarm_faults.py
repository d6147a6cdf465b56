"""Faults of functions, workflows, batches and events.

A fault is a context manager and lasts as long as its context. It yields an act: what somebody does meanwhile that shows
the fault, such as a request.
"""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from uuid import uuid4

from botocore.exceptions import ClientError

from sluice.schema.custom_resource import read_deployment
from tests.drill.alarm_site import PROOFS_STACK, AlarmSite
from tests.drill.alarm_traffic import Act
from tests.stack.operator import ROOT
from tests.stack.rebuild_harness import RebuildHarness

EVENTS = ROOT / "events"


def list_watched_functions(site: AlarmSite, metric: str) -> list[str]:
    """The logical ids of the functions whose metric an alarm watches."""
    alarms = [entry["Properties"] for entry in site.descriptions.values()]
    watched = [
        dimension["Value"]["Ref"]
        for alarm in alarms
        if alarm.get("Namespace") == "AWS/Lambda" and alarm["MetricName"] == metric
        for dimension in alarm["Dimensions"]
    ]
    return sorted(set(watched) & set(site.ids))


def _invoke_all(site: AlarmSite, functions: list[str]) -> None:
    client = site.client("lambda")

    def invoke(function: str) -> None:
        with suppress(ClientError):
            client.invoke(FunctionName=site.ids[function], Payload=b"{}")

    with ThreadPoolExecutor(len(functions)) as executor:
        list(executor.map(invoke, functions))


@contextmanager
def functions_without_code(site: AlarmSite) -> Iterator[Act]:
    """Somebody invokes functions whose handler does not exist."""
    functions = list_watched_functions(site, "Errors")
    with missing_handlers(site, functions):
        yield lambda: _invoke_all(site, functions)


@contextmanager
def missing_handlers(site: AlarmSite, functions: list[str]) -> Iterator[None]:
    """Give functions a handler that does not exist, as after the deployment of an incomplete package."""
    client = site.client("lambda")
    before = {name: client.get_function_configuration(FunctionName=site.ids[name])["Handler"] for name in functions}
    for name in functions:
        client.update_function_configuration(FunctionName=site.ids[name], Handler="sluice.handlers.missing.handle")
    try:
        yield
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
    inputs = {
        "Replay": {"from": "yesterday"},
        "Rebuild": {"as_of": "yesterday"},
        "Recover": {"days": "many"},
        "Restore": {"to": "yesterday"},
    }
    for workflow, input_ in inputs.items():
        site.recovery.start_workflow(workflow, input_)
    yield lambda: None


@contextmanager
def stopped_executions(site: AlarmSite) -> Iterator[Act]:
    """Somebody stops an execution of each workflow. They wait for a throttled function meanwhile."""
    states = site.client("stepfunctions")
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    delivered = json.loads((EVENTS / "load_batch" / "delivered.json").read_text())
    delivered["detail"]["bucket"]["name"] = site.recovery.bucket
    delivered["detail"]["object"]["key"] = "batches/2026/01/01/00/none.jsonl.gz"
    inputs = {
        "Load": delivered,
        "Replay": {},
        "Recover": {"trigger": "operator"},
        "Rebuild": {"as_of": now},
        "Restore": {},
    }
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
    deployment = read_deployment(event).build_physical_id("Migration").split(" ")[1]
    event["PhysicalResourceId"] = f"Migration {deployment}"
    site.stack.servers.primary.kill()
    try:
        client = site.client("lambda")
        client.invoke(FunctionName=site.ids["MigrateFunction"], Payload=json.dumps(event).encode())
        yield lambda: None
    finally:
        site.stack.servers.start()


@contextmanager
def write_that_no_table_takes(site: AlarmSite) -> Iterator[Act]:
    """A write is on the stream that the API would refuse, and the database rejects it."""
    RebuildHarness(site.stack).write_invalid_item("AL")
    yield lambda: None


@contextmanager
def no_proven_backup(site: AlarmSite) -> Iterator[Act]:
    """The last proof of a backup was 9 days ago, and the next one a moment ago."""
    report_proof_age(site, 9)
    yield lambda: None
    report_proof_age(site, 0)


def report_proof_age(site: AlarmSite, days: float = 0) -> None:
    """Report how long ago a backup was proven, as ProofInstanceFunction does."""
    dimensions = [{"Name": "service", "Value": "sluice"}, {"Name": "stack", "Value": PROOFS_STACK}]
    datum = {"MetricName": "BackupProofAge", "Dimensions": dimensions, "Value": days * 86_400, "Unit": "Seconds"}
    site.client("cloudwatch").put_metric_data(Namespace="Sluice", MetricData=[datum])


@contextmanager
def no_canary(_site: AlarmSite) -> Iterator[Act]:
    """Nothing invokes the canary: its schedule is disabled in this stack."""
    yield lambda: None


@contextmanager
def dead_letter(site: AlarmSite) -> Iterator[Act]:
    """An event could not start its target. The drill sends it: the local EventBridge has no dead letters.

    Afterwards an operator empties the queue.
    """
    queues, queue = site.client("sqs"), site.ids["EventDeadLetters"]
    queues.send_message(QueueUrl=queue, MessageBody='{"detail-type": "Object Created"}')
    yield lambda: None
    queues.purge_queue(QueueUrl=queue)
