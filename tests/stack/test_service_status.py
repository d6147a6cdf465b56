"""The public status before, during and after outages of the databases and of the stream, and the moment of reads."""

import datetime
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from local.stack import Stack
from sluice.http.response import AS_OF_HEADER
from tests.stack.faults import firehose_fault
from tests.stack.recovery_harness import invoke_function
from tests.stack.samples import airport
from tests.stack.waiting import eventually

pytestmark = pytest.mark.stack("first")

Status = dict[str, Any]
Await = Callable[[Callable[[Status], object]], Status]


@pytest.fixture
def await_status(client: Any) -> Await:
    """Ask without a token until a condition holds. Each answer is a 200, whatever is unavailable."""

    def await_status(condition: Callable[[Status], object]) -> Status:
        def ask() -> Status | None:
            response = client().get("/v1/status")
            assert response.status_code == 200, response.text
            status: Status = response.json()
            return status if condition(status) else None

        return eventually(ask)

    return await_status


@pytest.fixture
def send_heartbeat(stack: Stack) -> Callable[[], dict[str, Any]]:
    """Invoke the function as its schedule does, so that no test waits for the next minute."""
    return lambda: invoke_function(stack, "HealthCheck", {"heartbeat": True})


@pytest.fixture
def _restored(stack: Stack) -> Iterator[None]:
    yield
    stack.servers.start()
    stack.servers.wait_for_replicas()


def read_moment(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)


def test_the_schedule_sends_heartbeats(stack: Stack) -> None:
    """The first test of this file: nothing else has invoked the function with a heartbeat."""
    s3, bucket = stack.aws_client("s3"), stack.outputs["BatchBucketName"]
    assert eventually(lambda: s3.list_objects_v2(Bucket=bucket, Prefix="status/reads.json")["KeyCount"], 100)


@pytest.mark.usefixtures("_restored")
def test_the_status_follows_outages_of_the_databases(
    stack: Stack, machine: httpx.Client, await_status: Await, send_heartbeat: Callable[[], Any]
) -> None:
    send_heartbeat()
    well = await_status(lambda status: status["reads"]["state"] == "available")
    assert well["writes"] == {"state": "available"}
    as_of = well["reads"]["as_of"]
    written = machine.put("/v1/airports/TSTA", json=airport("TSTA")).json()
    waiting: Any = {"params": {"version": written["version"]}, "headers": {"Prefer": "wait=15"}}
    read = machine.get("/v1/airports/TSTA", timeout=30, **waiting)
    assert read.status_code == 200
    assert read_moment(read.headers[AS_OF_HEADER]) >= read_moment(as_of) - datetime.timedelta(seconds=10)

    stack.servers.primary.kill()
    checked_at = send_heartbeat()["checked_at"]
    alone = await_status(lambda status: status["reads"].get("checked_at", "") >= f"{checked_at[:19]}Z")
    assert alone["writes"] == {"state": "available"}
    assert alone["reads"]["state"] == "available"
    standing = alone["reads"]["as_of"]
    assert standing >= as_of
    assert machine.put("/v1/airports/TSTB", json=airport("TSTB")).status_code == 202

    for replica in stack.servers.replicas:
        replica.kill()
    send_heartbeat()
    none = await_status(lambda status: status["reads"]["state"] != "available")
    assert (none["writes"]["state"], none["reads"]["state"]) == ("available", "unavailable")
    assert "as_of" not in none["reads"]
    unavailable = machine.get("/v1/airports/TSTA")
    assert unavailable.status_code in {200, 503}  # CloudFront may serve what it has, with the moment of that
    assert (AS_OF_HEADER in unavailable.headers) == (unavailable.status_code == 200)
    assert machine.get("/v1/airports/TSTC").status_code == 503

    stack.servers.start()
    stack.servers.wait_for_replicas()
    eventually(lambda: send_heartbeat()["is_available"])
    back = await_status(lambda status: status["reads"]["state"] == "available")
    assert back["reads"]["as_of"] > standing


@pytest.mark.slow
def test_the_status_follows_an_outage_of_the_stream(stack: Stack, await_status: Await, machine: httpx.Client) -> None:
    s3, bucket = stack.aws_client("s3"), stack.outputs["BatchBucketName"]
    failed = s3.list_objects_v2(Bucket=bucket, Prefix="errors/").get("KeyCount", 0)
    await_status(lambda status: status["writes"]["state"] == "available")
    with firehose_fault(stack, {"fail_puts": -1}):
        await_status(lambda status: status["writes"]["state"] == "unavailable")
    await_status(lambda status: status["writes"]["state"] == "available")
    # Behind the probes comes a write, which is loaded. So the probes went through the transform, and none failed there.
    written = machine.put("/v1/airports/TSTD", json=airport("TSTD")).json()
    waiting: Any = {"params": {"version": written["version"]}, "headers": {"Prefer": "wait=15"}}
    assert machine.get("/v1/airports/TSTD", timeout=30, **waiting).status_code == 200
    assert s3.list_objects_v2(Bucket=bucket, Prefix="errors/").get("KeyCount", 0) == failed


def test_a_cache_has_the_status_for_five_seconds_at_most(client: Any) -> None:
    answers = [client().get("/v1/status") for _ in range(2)]
    assert all(answer.headers["Cache-Control"].startswith("public, max-age=") for answer in answers)
    assert all(int(answer.headers["Cache-Control"].split("=")[1].split(",")[0]) <= 5 for answer in answers)
    assert client().get("/v1/status", params={"now": "1"}).status_code == 400
    refused = client().post("/v1/status", json={})
    assert (refused.status_code, refused.headers["Allow"]) == (405, "GET")
