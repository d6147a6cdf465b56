"""The lease of a recovery, with the emulated S3 and Step Functions."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest

from sluice.errors import LockConflict
from sluice.recovery.execution_lease import RECOVERY_LEASE_KEY, StatesClient, acquire_lease
from testkit.emulator_harness import Emulator, wait_until
from tests.database.s3 import bucket, buckets

WAITING = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 600, "End": True}}}
TRUST = {
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}]
}


class Workflow:
    """Executions that run until they are stopped."""

    def __init__(self, emulator: Emulator) -> None:
        self.bucket = bucket()
        self._client = StatesClient()
        self._states: Any = emulator.client("stepfunctions")
        role = emulator.client("iam").create_role(RoleName="states", AssumeRolePolicyDocument=json.dumps(TRUST))
        self._machine = self._states.create_state_machine(
            name="waiting", definition=json.dumps(WAITING), roleArn=role["Role"]["Arn"]
        )["stateMachineArn"]

    def start(self) -> str:
        return str(self._states.start_execution(stateMachineArn=self._machine)["executionArn"])

    def stop(self, execution: str) -> None:
        self._states.stop_execution(executionArn=execution)
        wait_until(lambda: not self._client.is_running(execution))

    def acquire(self, execution: str) -> str:
        return acquire_lease(self._client, self.bucket, execution)


@pytest.fixture(scope="module")
def workflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workflow]:
    with buckets(tmp_path_factory.mktemp("s3")) as emulator:
        yield Workflow(emulator)


def test_the_first_execution_holds_the_lease_while_it_runs(workflow: Workflow) -> None:
    first, second = workflow.start(), workflow.start()
    assert workflow.acquire(first) == first
    assert workflow.acquire(first) == first
    assert workflow.acquire(second) == first
    workflow.stop(first)
    assert workflow.acquire(second) == second
    workflow.stop(second)


def test_of_many_executions_that_start_at_once_one_gets_the_lease(workflow: Workflow) -> None:
    started = [workflow.start() for _ in range(8)]

    def try_to_acquire(execution: str) -> str | None:
        try:
            return workflow.acquire(execution)
        except LockConflict:
            return None

    for _ in range(3):
        with ThreadPoolExecutor(8) as pool:
            holders = set(pool.map(try_to_acquire, started)) - {None}
        [holder] = holders
        assert {workflow.acquire(execution) for execution in started} == {holder}
        workflow.stop(str(holder))
        started.remove(str(holder))
    for execution in started:
        workflow.stop(execution)


def test_an_unknown_execution_does_not_hold_the_lease(workflow: Workflow) -> None:
    first = workflow.start()
    workflow.bucket.write_object(
        RECOVERY_LEASE_KEY, json.dumps({"execution": f"{first.rsplit(':', 1)[0]}:{uuid4()}"}).encode()
    )
    assert workflow.acquire(first) == first
    workflow.stop(first)


def test_an_outdated_etag_does_not_replace_an_object(workflow: Workflow) -> None:
    workflow.bucket.write_object("recovery/x", b"first")
    etag = workflow.bucket.read_object("recovery/x").etag
    assert workflow.bucket.replace_object("recovery/x", b"second", etag)
    assert not workflow.bucket.replace_object("recovery/x", b"third", etag)
    assert not workflow.bucket.replace_object("recovery/x", b"third", None)
    assert not workflow.bucket.replace_object("recovery/none", b"third", etag)
    assert workflow.bucket.read_object("recovery/x").content == b"second"
