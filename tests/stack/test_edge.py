"""The deployed stack behind its edge: who is let in, what outlives the database, what a flood does, what attacks come
to."""

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
    """The stage takes so many requests per second of each method, and so many at once."""
    gateway = stack.aws_client("apigateway")
    where = {"restApiId": stack.outputs["ApiId"], "stageName": stack.outputs["StageName"]}
    before = gateway.get_stage(**where)["methodSettings"]["*/*"]

    def put(rate: float, burst: int) -> None:
        limits = {"rateLimit": rate, "burstLimit": burst}
        operations = [
            {"op": "replace", "path": f"/*/*/throttling/{name}", "value": str(value)} for name, value in limits.items()
        ]
        gateway.update_stage(**where, patchOperations=operations)

    put(rate, burst)
    try:
        yield
    finally:
        put(before["throttlingRateLimit"], before["throttlingBurstLimit"])


def test_a_direct_call_is_refused_and_the_edges_is_not(stack: Stack, machine: httpx.Client) -> None:
    refused = httpx.get(f"{stack.stage_url}/v1/airports", headers=machine.headers, trust_env=False)
    assert (refused.status_code, refused.headers["Content-Type"]) == (403, "application/problem+json")
    answer = machine.get("/v1/airports")
    assert answer.status_code == 200
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=63072000")


def test_two_persons_at_one_private_address_never_get_each_others_answer(person: Person) -> None:
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


def test_with_the_database_stopped_what_is_shared_is_given_stale_and_what_is_private_is_not(
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
    stack.pair.replica.stop()
    try:
        stale = machine.get("/v1/airports/TSTL", timeout=60)
        assert (stale.status_code, stale.json()) == (200, seen.json())
        assert (stale.headers["X-Cache"], "Age" in stale.headers) == ("RefreshHit from cloudfront", True)
        time.sleep(1.1)  # so long the read cache may answer by itself
        hidden = ada.get(private, timeout=60)
        assert (hidden.status_code, hidden.headers["Content-Type"]) == (503, "application/problem+json")
        assert int(hidden.headers["Retry-After"]) >= 1
    finally:
        stack.pair.start()  # which also has it follow again
        stack.pair.wait_for_replica()
    answered = eventually(lambda: fresh if (fresh := machine.get("/v1/airports/TSTL")).headers["X-Cache"] else None)
    assert answered.status_code == 200


# One that a survey left warm is none that the flood has made.
_AT_WORK = (
    "SELECT COUNT(*) FROM information_schema.processlist "
    "WHERE user LIKE 'sluice\\_%' AND (command <> 'Sleep' OR time < 1)"
)


class Connections(threading.Thread):
    """While it is entered: the most connections to the primary over which the service's own users did something within
    one second, looked at every 20 ms."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(daemon=True)
        self._stack, self._ended, self.most, self.looks = stack, threading.Event(), 0, 0

    def __enter__(self) -> "Connections":
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self.join()

    def run(self) -> None:
        with self._stack.pair.primary.connect_as_root() as connection, connection.cursor() as cursor:
            while not self._ended.wait(0.02):
                cursor.execute(_AT_WORK)
                row = cursor.fetchone()
                self.most, self.looks = max(self.most, row[0] if row else 0), self.looks + 1


RATE, BURST, SECONDS = 5, 5, 4
# Fewer than the write function may run at a time: more would be answered with 503.
AT_ONCE = 12


async def _flood(stack: Stack, token: str) -> dict[str, httpx.Response]:
    """PUTs at ten times the rate for so many seconds; the answers by the code of the airport."""
    limits = httpx.Limits(max_connections=AT_ONCE)
    async with httpx.AsyncClient(base_url=stack.api_url, trust_env=False, timeout=60, limits=limits) as client:
        headers = {"Authorization": f"Bearer {token}"}
        started = time.monotonic()

        async def put(number: int) -> tuple[str, httpx.Response]:
            await asyncio.sleep(max(0.0, started + number / (10 * RATE) - time.monotonic()))
            code = f"Y{number:03}"
            return code, await client.put(f"/v1/airports/{code}", json=airport(code), headers=headers)

        return dict(await asyncio.gather(*(put(number) for number in range(10 * RATE * SECONDS))))


def test_ten_times_the_throttle_is_429_for_the_excess_and_nothing_accepted_is_lost(
    stack: Stack, machine_token: str, primary: Any
) -> None:
    with Connections(stack) as sampled:
        began = time.monotonic()
        with throttled(stack, RATE, BURST):
            answers = asyncio.run(_flood(stack, machine_token))
        most = BURST + RATE * (time.monotonic() - began)
        accepted = {code: answer.json()["version"] for code, answer in answers.items() if answer.status_code == 202}
        refused = [answer for answer in answers.values() if answer.status_code == 429]
        assert len(accepted) + len(refused) == len(answers), Counter(each.status_code for each in answers.values())
        assert BURST <= len(accepted) <= most < len(answers)
        assert {answer.headers["Retry-After"] for answer in refused} == {"1"}

        def loaded() -> bool:
            with primary.cursor() as cursor:
                cursor.execute("SELECT id, version FROM airports WHERE id LIKE 'Y___'")
                rows = dict(cursor.fetchall())
            return all(rows.get(code) == version for code, version in accepted.items())

        eventually(loaded)
    assert sampled.looks > 50
    assert 0 < sampled.most <= int(_parameter(stack, "LoadConcurrency"))


def _parameter(stack: Stack, name: str) -> str:
    [described] = stack.aws_client("cloudformation").describe_stacks(StackName="sluice-local")["Stacks"]
    return str(next(each["ParameterValue"] for each in described["Parameters"] if each["ParameterKey"] == name))


def test_a_part_of_the_attacks_is_blocked_and_changes_no_sql(stack: Stack) -> None:
    """`make attack` sends all of them."""
    others = "R"  # which other tests count
    _, held_out = build_visitor_requests(100)
    found = measure_edge(
        stack, build_attacks(limit=150), [*build_benign_requests(120, excluded_letters=others), *held_out]
    )
    assert found.blocked_share >= 0.95
    assert min(get_passed_share(found.tuning), get_passed_share(found.held_out)) >= 0.99
    assert found.new_statements == set()
