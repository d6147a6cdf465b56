"""The read cache as it is deployed: used, lost, and back."""

import time

import httpx
import pytest

from local.stack import Stack
from tests.stack.read_cache import mark_log_time, read_get_log
from tests.stack.samples import airport
from tests.stack.waiting import eventually

pytestmark = pytest.mark.stack("first")


def test_reads_and_writes_go_on_without_the_cache_and_with_it_again(stack: Stack, machine: httpx.Client) -> None:
    path = "/v1/airports/TCCH"

    def written(city: str) -> None:
        answer = machine.put(path, json=airport("TCCH", city=city))
        waiting = {"params": {"version": answer.json()["version"]}, "headers": {"Prefer": "wait=15"}, "timeout": 30}
        assert machine.get(path, **waiting).json()["data"]["city"] == city  # type: ignore[arg-type]

    def used() -> bool:
        """Whether a read was answered by the cache, each as the last write said."""
        began = mark_log_time()
        assert {machine.get(path).json()["data"]["city"] for _ in range(5)} == {last}
        return any(line.get("cache") == "hit" for line in read_get_log(stack, began))

    last = "first"
    written(last)
    eventually(used)
    stack.cache.kill()
    try:
        last = "second"
        written(last)
        began = mark_log_time()
        assert machine.get(path).json()["data"]["city"] == last
        assert not used()
        assert {line.get("cache") for line in read_get_log(stack, began)} <= {"unavailable", None}
    finally:
        stack.cache.start()
    time.sleep(5)  # it is left alone for so long
    last = "third"
    written(last)
    eventually(used)
