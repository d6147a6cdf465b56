"""Run `sluice restore` as an operator does, and measure what clients notice meanwhile."""

import datetime
import itertools
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from local.database import DatabaseServer
from local.database.backups import request_backup
from local.stack import Stack
from tests.stack.operator import Operator
from tests.stack.recovery_harness import RecoveryHarness
from tests.stack.replica_readers import Answer
from tests.stack.replica_site import ReplicaSite
from tests.stack.samples import airport
from tests.stack.waiting import eventually

STACK_NAME = "sluice-local"
RESTORE_SECONDS = 600
PROBE_SECONDS = 0.5


def lose_data(servers: Sequence[DatabaseServer]) -> None:
    """Kill the servers, and remove all that they have."""
    for server in servers:
        server.kill()
    for server in servers:
        shutil.rmtree(server.data)


def run_restore(sluice: Operator, *options: str) -> dict[str, Any]:
    """Run the whole restore, and return its report. No one helps it."""
    arguments = ("restore", *options, "--wait", "--yes", STACK_NAME, "--json")
    return dict(sluice(*arguments, seconds=RESTORE_SECONDS).document)


def start_restore(sluice: Operator, *options: str) -> str:
    """Start a restore, and return the name of its execution."""
    return str(sluice("restore", *options, "--yes", STACK_NAME, "--json").document["execution"])


def wait_for_state(recovery: RecoveryHarness, state: str) -> str:
    """Wait until the last restore enters a state, and return the ARN of its execution."""
    execution = str(recovery.list_executions("Restore")[0]["executionArn"])

    def is_entered() -> bool:
        return any(event.get("stateEnteredEventDetails", {}).get("name") == state for event in _read_events(recovery))

    eventually(is_entered, RESTORE_SECONDS)
    return execution


def _read_events(recovery: RecoveryHarness, workflow: str = "Restore") -> list[dict[str, Any]]:
    """The history of the workflow's last execution."""
    execution = recovery.list_executions(workflow)[0]["executionArn"]
    pages = recovery.states.get_paginator("get_execution_history").paginate(executionArn=execution)
    return [event for page in pages for event in page["events"]]


def list_instances(stack: Stack) -> set[str]:
    """The identifiers of all instances that RDS has."""
    instances = stack.aws_client("rds").describe_db_instances()["DBInstances"]
    return {instance["DBInstanceIdentifier"] for instance in instances}


def delete_instance(stack: Stack, identifier: str) -> None:
    """Delete an instance as an operator does, and wait until it is gone."""
    stack.aws_client("rds").delete_db_instance(DBInstanceIdentifier=identifier, SkipFinalSnapshot=True)
    eventually(lambda: identifier not in list_instances(stack))


def describe_steps(recovery: RecoveryHarness, workflow: str = "Restore") -> str:
    """The seconds of each state of the workflow's last execution that took at least one, in order."""
    events = _read_events(recovery, workflow)
    entered: dict[str, Any] = {}
    seconds: dict[str, float] = {}
    for event in events:
        if "stateEnteredEventDetails" in event:
            entered[event["stateEnteredEventDetails"]["name"]] = event["timestamp"]
        elif "stateExitedEventDetails" in event:
            name = event["stateExitedEventDetails"]["name"]
            seconds[name] = seconds.get(name, 0) + (event["timestamp"] - entered[name]).total_seconds()
    whole = (events[-1]["timestamp"] - events[0]["timestamp"]).total_seconds()
    steps = ", ".join(f"{name} {taken:.0f}" for name, taken in seconds.items() if taken >= 1)
    return f"{whole:.0f} s: {steps}"


@dataclass
class Probe:
    """Writes one item over and over, and measures how long each write took until it was readable."""

    site: ReplicaSite
    code: str
    readable_seconds: list[float] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    @contextmanager
    def run(self) -> Iterator[None]:
        """Write and read until the context ends; the last write is awaited."""
        stop = threading.Event()
        thread = threading.Thread(target=self._run, args=(stop,))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _run(self, stop: threading.Event) -> None:
        while not stop.wait(PROBE_SECONDS):
            path = f"/v1/airports/{self.code}"
            written = self.site.machine.put(path, json=airport(self.code))
            self.statuses.append(written.status_code)
            accepted_at = time.monotonic()
            while not self._is_readable(path, written.json()["version"]):
                time.sleep(0.2)
            self.readable_seconds.append(time.monotonic() - accepted_at)

    def _is_readable(self, path: str, version: str) -> bool:
        try:
            headers = {"Prefer": "wait=5"}
            response = self.site.machine.get(path, params={"version": version}, headers=headers)
        except httpx.HTTPError:
            return False
        return response.status_code == 200


def measure_longest_gap(answers: Sequence[Answer], path: str) -> float:
    """The longest time in seconds in which no read of paths with this beginning succeeded, between two that did."""
    times = sorted(each.arrived_at for each in answers if each.status in {200, 404} and each.path.startswith(path))
    return max((later - earlier for earlier, later in itertools.pairwise(times)), default=float("inf"))


def take_backup(stack: Stack) -> str:
    """Let RDS take an automated snapshot of the primary, as it does each night, and return its identifier."""
    return request_backup(stack.servers.root).identifier


def read_load_times(stack: Stack) -> dict[str, datetime.datetime]:
    """When each batch of the primary's ledger was loaded, by its key. A batch that is loaded again has another time."""
    credentials = stack.servers.admin_credentials
    with (
        stack.servers.primary.connect(*credentials, database="sluice", autocommit=True) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT object_key, loaded_at FROM loaded_batches")
        return dict(cursor.fetchall())
