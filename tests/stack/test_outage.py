"""The primary is killed during writes."""

import itertools
import threading
import time
from typing import Any

import httpx
import pytest

from local.stack import Stack
from tests.stack.recovery_harness import invoke_function
from tests.stack.samples import airport
from tests.stack.waiting import eventually

pytestmark = pytest.mark.stack("first")

DOWN_SECONDS = 8


def test_every_write_is_accepted_and_loaded_and_the_canary_only_waits_although_the_primary_is_killed(
    stack: Stack, machine: httpx.Client, client: Any, machine_token: str
) -> None:
    stop = threading.Event()
    statuses: list[int] = []
    versions: dict[str, str] = {}

    def write(worker: int) -> None:
        thread_client = client(machine_token)
        for number in itertools.count():
            code = f"K{worker}{number % 40:02d}"
            response = thread_client.put(f"/v1/airports/{code}", json=airport(code, city=str(number)))
            statuses.append(response.status_code)
            if response.status_code == 202:
                versions[code] = response.json()["version"]
            if stop.wait(0.02):
                return

    canary_runs: list[dict[str, Any]] = []
    canary = threading.Thread(target=lambda: canary_runs.append(invoke_function(stack, "Canary", {})))
    writers = [threading.Thread(target=write, args=(worker,)) for worker in range(3)]
    for writer in writers:
        writer.start()
    try:
        eventually(lambda: len(statuses) > 30)
        stack.servers.primary.kill()
        canary.start()
        before = len(statuses)
        time.sleep(DOWN_SECONDS)
        during_outage = len(statuses) - before
    finally:
        stack.servers.start()
        time.sleep(2)
        stop.set()
        for writer in writers:
            writer.join()
    canary.join()
    [run] = canary_runs
    assert (run["writes_failed"], run["reads_failed"], run["waits"]) == (0, 0, 1), run
    assert run["readable_seconds"] > DOWN_SECONDS - 1
    assert during_outage > 20
    assert set(statuses) == {202}
    eventually(lambda: not _find_missing(machine, versions), 180)


def _find_missing(machine: httpx.Client, versions: dict[str, str]) -> set[str]:
    present = {item["id"]: item["version"] for item in machine.get("/v1/airports?limit=500").json()["items"]}
    return {code for code, version in versions.items() if present.get(code, "") < version}
