"""The deployed read cache: used, lost, and available again."""

import time

import httpx
import pytest

from local.stack import Stack
from tests.stack.read_cache import mark_log_time, read_get_log
from tests.stack.samples import airport
from tests.stack.waiting import eventually

pytestmark = pytest.mark.stack("first")


def test_reads_and_writes_continue_without_the_cache(stack: Stack, machine: httpx.Client) -> None:
    path = "/v1/airports/TCCH"

    def write_and_read(city: str) -> None:
        answer = machine.put(path, json=airport("TCCH", city=city))
        waiting = {"params": {"version": answer.json()["version"]}, "headers": {"Prefer": "wait=15"}, "timeout": 30}
        assert machine.get(path, **waiting).json()["data"]["city"] == city  # type: ignore[arg-type]

    def is_cache_used() -> bool:
        """Whether the cache answered a read. Each read must return the last write."""
        started_at = mark_log_time()
        assert {machine.get(path).json()["data"]["city"] for _ in range(5)} == {last}
        return any(line.get("cache") == "hit" for line in read_get_log(stack, started_at))

    last = "first"
    write_and_read(last)
    eventually(is_cache_used)
    stack.cache.kill()
    try:
        last = "second"
        write_and_read(last)
        started_at = mark_log_time()
        assert machine.get(path).json()["data"]["city"] == last
        assert not is_cache_used()
        assert {line.get("cache") for line in read_get_log(stack, started_at)} <= {"unavailable", None}
    finally:
        stack.cache.start()
    time.sleep(5)  # the client's backoff
    last = "third"
    write_and_read(last)
    eventually(is_cache_used)
