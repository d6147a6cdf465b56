"""The deployed read cache: in use, killed, and restarted."""

import time

import httpx
import pytest

from local.stack import Stack
from tests.stack.read_cache import mark_log_time, read_get_log
from tests.stack.samples import airport
from tests.stack.waiting import eventually

pytestmark = pytest.mark.stack("first")


def test_reads_and_writes_continue_without_the_cache_and_after_its_restart(stack: Stack, machine: httpx.Client) -> None:
    path = "/v1/airports/TCCH"

    def write_and_read(city: str) -> None:
        response = machine.put(path, json=airport("TCCH", city=city))
        waiting = {"params": {"version": response.json()["version"]}, "headers": {"Prefer": "wait=15"}, "timeout": 30}
        assert machine.get(path, **waiting).json()["data"]["city"] == city  # type: ignore[arg-type]

    def is_cache_used() -> bool:
        """Whether the cache served one of five reads; each read returns the last write."""
        started = mark_log_time()
        assert {machine.get(path).json()["data"]["city"] for _ in range(5)} == {last}
        return any(line.get("cache") == "hit" for line in read_get_log(stack, started))

    last = "first"
    write_and_read(last)
    eventually(is_cache_used)
    stack.cache.kill()
    try:
        last = "second"
        write_and_read(last)
        started = mark_log_time()
        assert machine.get(path).json()["data"]["city"] == last
        assert not is_cache_used()
        assert {line.get("cache") for line in read_get_log(stack, started)} <= {"unavailable", None}
    finally:
        stack.cache.start()
    time.sleep(5)  # the functions do not use the cache again before that
    last = "third"
    write_and_read(last)
    eventually(is_cache_used)
