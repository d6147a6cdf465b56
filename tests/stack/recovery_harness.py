"""Start the recovery workflows, read what they changed, and put batches to replay."""

import datetime
import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from local.stack import Stack
from sluice.ingest.item_body import decode_item
from sluice.model.record import Write, encode_item, encode_write
from sluice.model.resource import load_resources
from sluice.model.versions import new_version
from tests.stack.broken_stack import find_resource
from tests.stack.samples import airport
from tests.stack.waiting import eventually

Versions = dict[str, str]


def invoke_function(stack: Stack, function: str, event: Any) -> dict[str, Any]:
    """Invoke a function by its short name, and return its result. The function must not fail."""
    response = stack.aws_client("lambda").invoke(
        FunctionName=stack.outputs[f"{function}FunctionName"], Payload=json.dumps(event)
    )
    result = json.loads(response["Payload"].read())
    assert "FunctionError" not in response, result
    return dict(result)


class RecoveryHarness:
    """Starts workflows, waits for them, and reads the tables, the ledger and the buckets."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.states, self.events = stack.aws_client("stepfunctions"), stack.aws_client("events")
        self.s3, self.bucket = stack.aws_client("s3"), stack.outputs["BatchBucketName"]

    def start_workflow(self, workflow: str, input_: Any) -> str:
        machine = self.stack.outputs[f"{workflow}StateMachineArn"]
        return str(self.states.start_execution(stateMachineArn=machine, input=json.dumps(input_))["executionArn"])

    def wait_until_ended(self, execution: str, seconds: float = 90) -> dict[str, Any]:
        def read_result() -> Any:
            description = self.states.describe_execution(executionArn=execution)
            return description if description["status"] != "RUNNING" else None

        return dict(eventually(read_result, seconds))

    def wait_for_output(self, execution: str, seconds: float = 90) -> dict[str, Any]:
        result = self.wait_until_ended(execution, seconds)
        assert result["status"] == "SUCCEEDED", (result.get("error"), result.get("cause"))
        return dict(json.loads(result["output"]))

    def run_replay(self, **input_: Any) -> dict[str, Any]:
        return self.wait_for_output(self.start_workflow("Replay", input_))

    def list_executions(self, workflow: str, status: str = "") -> list[dict[str, Any]]:
        """The executions of a workflow, the latest first."""
        options = {"statusFilter": status} if status else {}
        machine = self.stack.outputs[f"{workflow}StateMachineArn"]
        return list(self.states.list_executions(stateMachineArn=machine, **options)["executions"])

    def count_missing(self) -> int:
        """How many batches the ledger lacks, according to the plan function, as in the operators' command."""
        plan = self._step(step="begin", name="status", request={})
        while not plan["verified"]:
            plan = self._step(step="verify", plan=plan)
        return int(plan["remaining"]["objects"])

    def _step(self, **event: Any) -> dict[str, Any]:
        return invoke_function(self.stack, "Plan", event)

    def read_versions(self, prefix: str) -> Versions:
        """Id and version of the airports whose codes begin with the prefix, deleted ones included."""
        with (
            self.stack.servers.primary.connect(
                *self.stack.servers.admin_credentials, database="sluice", autocommit=True
            ) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute("SELECT id, version FROM airports WHERE id LIKE %s", (f"{prefix}%",))
            return dict(cursor.fetchall())

    def read_ledger(self) -> set[str]:
        """The object keys in the ledger."""
        with (
            self.stack.servers.primary.connect(
                *self.stack.servers.admin_credentials, database="sluice", autocommit=True
            ) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute("SELECT object_key FROM loaded_batches")
            return {row[0] for row in cursor.fetchall()}

    def read_checksums(self) -> list[Any]:
        """The checksums of all tables on every server, and the objects of the batch bucket except those of replays.

        The heartbeat of each minute does not count: neither its mark nor its object.
        """
        self.stack.servers.wait_for_replicas()
        checksums: list[Any] = []
        for server in self.stack.servers.all:
            with (
                server.connect(*self.stack.servers.admin_credentials, database="sluice") as connection,
                connection.cursor() as cursor,
            ):
                cursor.execute("SHOW TABLES")
                tables = ", ".join(row[0] for row in cursor.fetchall() if row[0] != "marks")
                cursor.execute(f"CHECKSUM TABLE {tables}")
                checksums.append(cursor.fetchall())
                cursor.execute("SELECT * FROM marks WHERE name <> 'as_of' ORDER BY name")
                checksums.append(cursor.fetchall())
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        objects = [(entry["Key"], entry["ETag"]) for page in pages for entry in page.get("Contents", [])]
        return [*checksums, [(key, etag) for key, etag in objects if not key.startswith(("replays/", "status/"))]]

    def find_rule_name(self, logical: str) -> str:
        """The name of an event rule, by its logical id in the template."""
        return find_resource(self.stack, logical)

    def read_alarm_state(self, logical: str) -> str:
        """The state of an alarm, by its logical id in the template."""
        name = find_resource(self.stack, logical)
        [alarm] = self.stack.aws_client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
        return str(alarm["StateValue"])

    @contextmanager
    def disable_rules(self, *rules: str) -> Iterator[None]:
        """Disable event rules, by their logical ids."""
        names = [self.find_rule_name(rule) for rule in rules]
        for name in names:
            self.events.disable_rule(Name=name)
        try:
            yield
        finally:
            # The event of a put is sent after its response, to the rules that are enabled by then.
            eventually(self._are_events_sent)
            for name in names:
                self.events.enable_rule(Name=name)

    def _are_events_sent(self) -> bool:
        return not list((self.stack.folder.emulator / "services/events").iterdir())

    def put_batches(self, prefix: str, count: int, per_batch: int = 3) -> Versions:
        """Put batches without starting a load; returns the last version of each item. Later batches overwrite items."""
        versions: Versions = {}
        now = datetime.datetime.now(datetime.UTC)
        with self.disable_rules("BatchDelivered"):
            for number in range(count):
                writes = [_write(f"{prefix}{(number + n) % 20:02}") for n in range(per_batch)]
                versions.update((write.id, write.version) for write in writes)
                key = f"batches/{now:%Y/%m/%d/%H}/test-{prefix}-{number:04}-{uuid4()}.jsonl.gz"
                body = gzip.compress(b"".join(map(encode_write, writes)))
                self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)
        return versions

    @contextmanager
    def limit_load_retries(self) -> Iterator[None]:
        """Limit load_batch to one retry, so that batches are parked soon."""
        machine = self.stack.outputs["LoadStateMachineArn"]
        before = self.states.describe_state_machine(stateMachineArn=machine)["definition"]
        definition = json.loads(before)
        for retry in definition["States"]["Load"]["Retry"]:
            retry["MaxAttempts"] = min(retry["MaxAttempts"], 1)
        self.states.update_state_machine(stateMachineArn=machine, definition=json.dumps(definition))
        try:
            yield
        finally:
            self.states.update_state_machine(stateMachineArn=machine, definition=before)


def _write(code: str) -> Write:
    resource = load_resources()["airports"]
    item = decode_item(json.dumps(airport(code)).encode(), resource)
    return Write(
        version=new_version(),
        collection="airports",
        id=code,
        operation="put",
        owner="",
        accepted_at=datetime.datetime.now(datetime.UTC),
        schema=resource.revision,
        data=encode_item(item, resource),
    )
