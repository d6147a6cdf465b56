"""The deployed stack behind its edge: direct calls, private items, an outage of the database, a flood, and attacks."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from local.stack import Stack
from testkit.attack.attacks import build_attacks
from testkit.attack.benign import build_benign_requests, build_visitor_requests
from testkit.attack.measurement import get_passed_share, measure_edge
from tests.stack.conftest import Person
from tests.stack.samples import airport, booking
from tests.stack.waiting import eventually

pytestmark = pytest.mark.stack("first")


@contextmanager
def throttled(stack: Stack, rate: int, burst: int) -> Iterator[None]:
    """Throttle the stage to `rate` requests per second and a burst of `burst`, for each method."""
    gateway = stack.aws_client("apigateway")
    where = {"restApiId": stack.outputs["ApiId"], "stageName": stack.outputs["StageName"]}
    before = gateway.get_stage(**where)["methodSettings"]["*/*"]

    def update_stage(rate: float, burst: int) -> None:
        limits = {"rateLimit": rate, "burstLimit": burst}
        operations = [
            {"op": "replace", "path": f"/*/*/throttling/{name}", "value": str(value)} for name, value in limits.items()
        ]
        gateway.update_stage(**where, patchOperations=operations)

    update_stage(rate, burst)
    try:
        yield
    finally:
        update_stage(before["throttlingRateLimit"], before["throttlingBurstLimit"])


def test_a_direct_call_is_rejected_and_the_edges_is_not(stack: Stack, machine: httpx.Client) -> None:
    refused = httpx.get(f"{stack.stage_url}/v1/airports", headers=machine.headers, trust_env=False)
    assert (refused.status_code, refused.headers["Content-Type"]) == (403, "application/problem+json")
    response = machine.get("/v1/airports")
    assert response.status_code == 200
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Strict-Transport-Security"].startswith("max-age=63072000")


def test_two_persons_at_one_private_url_never_get_each_others_item(person: Person) -> None:
    ada, eve = person("ada"), person("eve")
    written = {
        name: client.post("/v1/bookings", json=booking(passenger=name)).json()
        for name, client in (("ada", ada), ("eve", eve))
    }
    mine = f"/v1/bookings/{written['ada']['id']}"
    assert (
        ada.get(mine, params={"version": written["ada"]["version"]}, headers={"Prefer": "wait=15"}).status_code == 200
    )
    for _ in range(2):
        assert ada.get(mine).json()["data"]["passenger"] == "ada"
        assert eve.get(mine).status_code == 404
        lists = {
            name: client.get("/v1/bookings?limit=500").json()["items"] for name, client in (("ada", ada), ("eve", eve))
        }
        assert {item["data"]["passenger"] for item in lists["ada"]} & {
            item["data"]["passenger"] for item in lists["eve"]
        } == set()


def test_without_the_database_a_shared_item_is_served_stale_and_a_private_one_is_not(
    stack: Stack, machine: httpx.Client, person: Person
) -> None:
    ada = person("ada")
    first = machine.put("/v1/airports/TSTL", json=airport("TSTL", city="before")).json()
    mine = ada.post("/v1/bookings", json=booking()).json()
    waiting: Any = {"headers": {"Prefer": "wait=15"}, "timeout": 30}
    assert machine.get("/v1/airports/TSTL", params={"version": first["version"]}, **waiting).status_code == 200
    private = f"/v1/bookings/{mine['id']}"
    assert ada.get(private, params={"version": mine["version"]}, **waiting).status_code == 200
    seen = machine.get("/v1/airports/TSTL")
    for replica in stack.servers.replicas:
        replica.stop()
    try:
        stale = machine.get("/v1/airports/TSTL", timeout=60)
        assert (stale.status_code, stale.json()) == (200, seen.json())
        assert (stale.headers["X-Cache"], "Age" in stale.headers) == ("RefreshHit from cloudfront", True)
        time.sleep(1.1)  # until then the read cache may still serve the item
        hidden = ada.get(private, timeout=60)
        assert (hidden.status_code, hidden.headers["Content-Type"]) == (503, "application/problem+json")
        assert int(hidden.headers["Retry-After"]) >= 1
    finally:
        stack.servers.start()  # which also restarts replication
        stack.servers.wait_for_replicas()
    answered = eventually(lambda: fresh if (fresh := machine.get("/v1/airports/TSTL")).headers["X-Cache"] else None)
    assert answered.status_code == 200


# An idle connection that a health check left open does not belong to the flood.
_AT_WORK = (
    "SELECT COUNT(*) FROM information_schema.processlist "
    "WHERE user LIKE 'sluice\\_%' AND (command <> 'Sleep' OR time < 1)"
)


class Connections(threading.Thread):
    """Samples the connections to the primary every 20 ms while it is entered. `most` is the largest number of
    connections of the service's own users that were active within the last second."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(daemon=True)
        self._stack, self._ended, self.most, self.samples = stack, threading.Event(), 0, 0

    def __enter__(self) -> "Connections":
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self.join()

    def run(self) -> None:
        with self._stack.servers.primary.connect_as_root() as connection, connection.cursor() as cursor:
            while not self._ended.wait(0.02):
                cursor.execute(_AT_WORK)
                row = cursor.fetchone()
                self.most, self.samples = max(self.most, row[0] if row else 0), self.samples + 1


RATE, BURST, SECONDS = 5, 5, 4
# Below the reserved concurrency of the write function: more requests at once would get 503.
AT_ONCE = 12


async def _flood(stack: Stack, token: str) -> dict[str, httpx.Response]:
    """Send PUTs at ten times the rate for SECONDS seconds; returns the responses by the code of the airport."""
    limits = httpx.Limits(max_connections=AT_ONCE)
    async with httpx.AsyncClient(base_url=stack.api_url, trust_env=False, timeout=60, limits=limits) as client:
        headers = {"Authorization": f"Bearer {token}"}
        started = time.monotonic()

        async def put(number: int) -> tuple[str, httpx.Response]:
            await asyncio.sleep(max(0.0, started + number / (10 * RATE) - time.monotonic()))
            code = f"Y{number:03}"
            return code, await client.put(f"/v1/airports/{code}", json=airport(code), headers=headers)

        return dict(await asyncio.gather(*(put(number) for number in range(10 * RATE * SECONDS))))


def test_a_flood_gets_429_and_no_accepted_write_is_lost(stack: Stack, machine_token: str, primary: Any) -> None:
    with Connections(stack) as sampled:
        began = time.monotonic()
        with throttled(stack, RATE, BURST):
            responses = asyncio.run(_flood(stack, machine_token))
        most = BURST + RATE * (time.monotonic() - began)
        accepted = {
            code: response.json()["version"] for code, response in responses.items() if response.status_code == 202
        }
        refused = [response for response in responses.values() if response.status_code == 429]
        assert len(accepted) + len(refused) == len(responses), Counter(
            response.status_code for response in responses.values()
        )
        assert BURST <= len(accepted) <= most < len(responses)
        assert {response.headers["Retry-After"] for response in refused} == {"1"}

        def is_loaded() -> bool:
            with primary.cursor() as cursor:
                cursor.execute("SELECT id, version FROM airports WHERE id LIKE 'Y___'")
                rows = dict(cursor.fetchall())
            return all(rows.get(code) == version for code, version in accepted.items())

        eventually(is_loaded)
    assert sampled.samples > 50
    assert 0 < sampled.most <= int(_read_parameter(stack, "LoadConcurrency"))


def _read_parameter(stack: Stack, name: str) -> str:
    [described] = stack.aws_client("cloudformation").describe_stacks(StackName="sluice-local")["Stacks"]
    values = {parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in described["Parameters"]}
    return str(values[name])


@pytest.mark.slow
def test_a_sample_of_the_attacks_is_blocked_and_changes_no_sql(stack: Stack) -> None:
    """`make attack` sends the whole corpus."""
    excluded_letters = "R"  # other tests count the airports with R
    _, held_out = build_visitor_requests(100)
    measurement = measure_edge(
        stack, build_attacks(limit=150), [*build_benign_requests(120, excluded_letters=excluded_letters), *held_out]
    )
    assert measurement.blocked_share >= 0.95
    assert min(get_passed_share(measurement.tuning), get_passed_share(measurement.held_out)) >= 0.99
    assert measurement.new_statements == set()
