"""Password rotation on the deployed stack, by its own function, while clients write and read."""

import itertools
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pymysql
import pytest

from local.stack import Stack
from tests.stack.samples import airport
from tests.stack.waiting import eventually

pytestmark = pytest.mark.stack("second")

ROLES = ("Loader", "Reader")


class Traffic:
    """Two clients that write and two that read without a pause."""

    def __init__(self, create_client: Callable[[], httpx.Client]) -> None:
        self.statuses: Counter[tuple[str, int]] = Counter()
        self.versions: dict[str, str] = {}
        self._create_client = create_client
        self._stop = threading.Event()

    def _write(self, worker: int) -> None:
        client = self._create_client()
        for number in itertools.count():
            code = f"TR{worker}{number % 10}"
            response = client.put(f"/v1/airports/{code}", json=airport(code, city=str(number)))
            self.statuses["PUT", response.status_code] += 1
            if response.status_code == 202:
                self.versions[code] = response.json()["version"]
            if self._stop.wait(0.02):
                return

    def _read(self, worker: int) -> None:
        client = self._create_client()
        while not self._stop.wait(0.02):
            path = "/v1/airports/TROT" if worker % 2 else "/v1/airports?limit=5"
            self.statuses["GET", client.get(path).status_code] += 1

    @contextmanager
    def run_in_background(self) -> Iterator[None]:
        threads = [threading.Thread(target=work, args=(n,)) for work in (self._write, self._read) for n in range(2)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def wait_for_more_responses(self) -> None:
        """Return after 20 more responses of each method."""
        before = Counter(method for method, _ in self.statuses.elements())
        eventually(lambda: all(self._count(method) > before[method] + 20 for method in ("PUT", "GET")))

    def _count(self, method: str) -> int:
        return sum(count for (counted, _), count in self.statuses.items() if counted == method)


def read_secret(stack: Stack, role: str) -> dict[str, Any]:
    value = stack.aws_client("secretsmanager").get_secret_value(SecretId=stack.outputs[f"{role}SecretArn"])
    return {"version": value["VersionId"], **json.loads(value["SecretString"])}


def rotate(stack: Stack, role: str) -> None:
    version = stack.aws_client("secretsmanager").rotate_secret(SecretId=stack.outputs[f"{role}SecretArn"])["VersionId"]
    eventually(lambda: read_secret(stack, role)["version"] == version)


def kill_warm_connections(stack: Stack) -> int:
    """Kill the idle connections of both users; returns how many."""
    killed = 0
    names = tuple(read_secret(stack, role)["username"] for role in ROLES)
    for server in stack.servers.all:
        with server.connect_as_root() as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT id FROM information_schema.processlist WHERE user IN %s AND command = 'Sleep' "
                "AND id NOT IN (SELECT trx_mysql_thread_id FROM information_schema.innodb_trx)",
                (names,),
            )
            for (connection_id,) in cursor.fetchall():
                cursor.execute("KILL %s", (connection_id,))
                killed += 1
    return killed


def read_function_log(stack: Stack, function: str) -> str:
    name = stack.outputs[f"{function}FunctionName"]
    file: Path = stack.folder.root / "emulator" / "logs" / f"{name}.log"
    return file.read_text() if file.exists() else ""


def can_connect(stack: Stack, role: str, password: str) -> list[bool]:
    """Whether the password is valid on the primary, and on each replica."""
    results = []
    for server in stack.servers.all:
        try:
            server.connect(read_secret(stack, role)["username"], password).close()
        except pymysql.OperationalError:
            results.append(False)
        else:
            results.append(True)
    return results


def test_no_request_fails_during_a_rotation(
    stack: Stack, machine: httpx.Client, client: Any, machine_token: str
) -> None:
    version = machine.put("/v1/airports/TROT", json=airport("TROT")).json()["version"]
    waiting: Any = {"params": {"version": version}, "headers": {"Prefer": "wait=15"}, "timeout": 30}
    eventually(lambda: machine.get("/v1/airports/TROT", **waiting).status_code == 200)
    first = {role: read_secret(stack, role)["password"] for role in ROLES}
    failed = len(list_failed_loads(stack))
    traffic, killed = Traffic(lambda: client(machine_token)), 0
    with traffic.run_in_background():
        traffic.wait_for_more_responses()
        for _ in range(2):
            for role in ROLES:
                rotate(stack, role)
                killed += kill_warm_connections(stack)
                traffic.wait_for_more_responses()
    assert killed > 0
    assert set(traffic.statuses) == {("PUT", 202), ("GET", 200)}, traffic.statuses

    def is_loaded() -> bool:
        return all(
            machine.get(f"/v1/airports/{code}").json().get("version", "") >= version
            for code, version in traffic.versions.items()
        )

    eventually(is_loaded)
    assert len(list_failed_loads(stack)) == failed
    assert "AccessDenied" not in read_function_log(stack, "Load") + read_function_log(stack, "Get")
    stack.servers.wait_for_replicas()
    second = {role: read_secret(stack, role)["password"] for role in ROLES}
    assert [can_connect(stack, role, first[role]) for role in ROLES] == [[False, False]] * 2
    assert [can_connect(stack, role, second[role]) for role in ROLES] == [[True, True]] * 2
    log = read_function_log(stack, "Rotate")
    assert "finishSecret" in log
    assert [password for password in [*first.values(), *second.values()] if password in log] == []


def list_failed_loads(stack: Stack) -> list[Any]:
    """The failed load_batch executions."""
    executions: list[Any] = stack.aws_client("stepfunctions").list_executions(
        stateMachineArn=stack.outputs["LoadStateMachineArn"], statusFilter="FAILED"
    )["executions"]
    return executions


@pytest.mark.parametrize("step", ["createSecret", "setSecret", "testSecret", "finishSecret"])
def test_a_secret_outside_the_stack_is_not_changed(stack: Stack, step: str) -> None:
    event = {
        "Step": step,
        "SecretId": "arn:aws:secretsmanager:us-east-1:000000000000:secret:other-0",
        "ClientRequestToken": "0" * 32,
    }
    response = stack.aws_client("lambda").invoke(
        FunctionName=stack.outputs["RotateFunctionName"], Payload=json.dumps(event)
    )
    error = json.loads(response["Payload"].read())
    assert (error["errorType"], error["errorMessage"]) == (
        "RotationFailed",
        "The secret does not belong to this stack.",
    )
