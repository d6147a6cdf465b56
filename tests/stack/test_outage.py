"""The primary killed while writes come in."""

import itertools
import threading
import time
from typing import Any

import httpx
import pytest

from local.stack import Stack
from tests.stack.samples import airport
from tests.stack.waiting import eventually

pytestmark = pytest.mark.stack("first")

DOWN_SECONDS = 8


def test_every_write_is_accepted_and_arrives_although_the_primary_was_killed(
    stack: Stack, machine: httpx.Client, client: Any, machine_token: str
) -> None:
    stop = threading.Event()
    statuses: list[int] = []
    versions: dict[str, str] = {}

    def write(worker: int) -> None:
        mine = client(machine_token)
        for number in itertools.count():
            code = f"K{worker}{number % 40:02d}"
            answer = mine.put(f"/v1/airports/{code}", json=airport(code, city=str(number)))
            statuses.append(answer.status_code)
            if answer.status_code == 202:
                versions[code] = answer.json()["version"]
            if stop.wait(0.02):
                return

    writers = [threading.Thread(target=write, args=(worker,)) for worker in range(3)]
    for writer in writers:
        writer.start()
    try:
        eventually(lambda: len(statuses) > 30)
        stack.pair.primary.kill()
        before = len(statuses)
        time.sleep(DOWN_SECONDS)
        meanwhile = len(statuses) - before
    finally:
        stack.pair.start()
        time.sleep(2)
        stop.set()
        for writer in writers:
            writer.join()
    assert meanwhile > 20
    assert set(statuses) == {202}
    eventually(lambda: not _missing(machine, versions), 180)


def _missing(machine: httpx.Client, versions: dict[str, str]) -> set[str]:
    found = {item["id"]: item["version"] for item in machine.get("/v1/airports?limit=500").json()["items"]}
    return {code for code, version in versions.items() if found.get(code, "") < version}
