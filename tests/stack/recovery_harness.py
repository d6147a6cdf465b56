"""The workflows of the way back as an operator, the schedule and the alarms start them; and batches to replay."""

import datetime
import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from local.stack import Stack
from sluice.ingest.item_body import decode_item, encode_item
from sluice.model.record import Write, encode_write
from sluice.model.resource import load_resources
from sluice.model.versions import new_version
from tests.stack.samples import airport
from tests.stack.waiting import eventually

Versions = dict[str, str]


class RecoveryHarness:
    """Starts workflows, follows them, and says what the tables hold."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.states, self.events = stack.aws_client("stepfunctions"), stack.aws_client("events")
        self.s3, self.bucket = stack.aws_client("s3"), stack.outputs["BatchBucketName"]

    def start_workflow(self, workflow: str, given: Any) -> str:
        machine = self.stack.outputs[f"{workflow}StateMachineArn"]
        return str(self.states.start_execution(stateMachineArn=machine, input=json.dumps(given))["executionArn"])

    def wait_until_ended(self, execution: str, seconds: float = 90) -> dict[str, Any]:
        def ended() -> Any:
            found = self.states.describe_execution(executionArn=execution)
            return found if found["status"] != "RUNNING" else None

        return dict(eventually(ended, seconds))

    def wait_for_output(self, execution: str, seconds: float = 90) -> dict[str, Any]:
        found = self.wait_until_ended(execution, seconds)
        assert found["status"] == "SUCCEEDED", (found.get("error"), found.get("cause"))
        return dict(json.loads(found["output"]))

    def run_replay(self, **given: Any) -> dict[str, Any]:
        return self.wait_for_output(self.start_workflow("Replay", given))

    def list_executions(self, workflow: str, status: str = "") -> list[dict[str, Any]]:
        """Executions of a workflow, the latest first."""
        more = {"statusFilter": status} if status else {}
        machine = self.stack.outputs[f"{workflow}StateMachineArn"]
        return list(self.states.list_executions(stateMachineArn=machine, **more)["executions"])

    def count_missing(self) -> int:
        """How many batches the ledger lacks, asked as the operators' tools do."""
        plan = self._step(step="begin", name="status", request={})
        while not plan["verified"]:
            plan = self._step(step="verify", plan=plan)
        return int(plan["remaining"]["objects"])

    def _step(self, **event: Any) -> dict[str, Any]:
        answer = self.stack.aws_client("lambda").invoke(
            FunctionName=self.stack.outputs["PlanFunctionName"], Payload=json.dumps(event)
        )
        plan = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, plan
        return dict(plan)

    def read_versions(self, prefix: str) -> Versions:
        """Id and version of the airports whose codes have that prefix, deleted ones too."""
        with (
            self.stack.pair.primary.connect(
                *self.stack.pair.admin_credentials, database="sluice", autocommit=True
            ) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute("SELECT id, version FROM airports WHERE id LIKE %s", (f"{prefix}%",))
            return dict(cursor.fetchall())

    def read_ledger(self) -> set[str]:
        """The object keys in the ledger."""
        with (
            self.stack.pair.primary.connect(
                *self.stack.pair.admin_credentials, database="sluice", autocommit=True
            ) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute("SELECT object_key FROM loaded_batches")
            return {row[0] for row in cursor.fetchall()}

    def read_checksums(self) -> list[Any]:
        """Checksums of all tables on both servers, and what is in the batch bucket but for the folders of replays."""
        self.stack.pair.wait_for_replica()
        found: list[Any] = []
        for server in (self.stack.pair.primary, self.stack.pair.replica):
            with (
                server.connect(*self.stack.pair.admin_credentials, database="sluice") as connection,
                connection.cursor() as cursor,
            ):
                cursor.execute("SHOW TABLES")
                tables = ", ".join(row[0] for row in cursor.fetchall())
                cursor.execute(f"CHECKSUM TABLE {tables}")
                found.append(cursor.fetchall())
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        objects = [(one["Key"], one["ETag"]) for page in pages for one in page.get("Contents", [])]
        return [*found, [one for one in objects if not one[0].startswith("replays/")]]

    def find_rule_name(self, logical: str) -> str:
        """The name of an event rule of the template."""
        found = self.stack.aws_client("cloudformation").describe_stack_resource(
            StackName="sluice-local", LogicalResourceId=logical
        )
        return str(found["StackResourceDetail"]["PhysicalResourceId"])

    @contextmanager
    def disable_rules(self, *rules: str) -> Iterator[None]:
        """A while in which rules start nothing."""
        names = [self.find_rule_name(rule) for rule in rules]
        for name in names:
            self.events.disable_rule(Name=name)
        try:
            yield
        finally:
            for name in names:
                self.events.enable_rule(Name=name)

    def put_batches(self, prefix: str, count: int, per_batch: int = 3) -> Versions:
        """Put batches that nothing loads, and return what they write, item by item; later ones write items anew."""
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
        """A while in which load_batch gives up after one retry, so that batches park soon."""
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
