"""What clients and the canary do while a fault lasts. A failed request or run is part of it."""

import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import httpx
from botocore.exceptions import ClientError

from tests.drill.alarm_site import AlarmSite
from tests.stack.samples import booking

Act = Callable[[], object]


def run_canary(site: AlarmSite) -> None:
    with suppress(ClientError):
        site.client("lambda").invoke(FunctionName=site.ids["CanaryFunction"], Payload=b"{}")


def write(site: AlarmSite) -> None:
    with suppress(httpx.HTTPError):
        site.http.post("/v1/bookings", json=booking())


def read(site: AlarmSite) -> None:
    # Another airport each time, so that API Gateway's cache answers few reads.
    with suppress(httpx.HTTPError):
        site.http.get(f"/v1/airports/{random.choice(site.airports)}")


@contextmanager
def crowd(act: Act) -> Iterator[Act]:
    """Twelve clients. Each call of the value makes two of them act, unless 24 acts wait already."""
    with ThreadPoolExecutor(12) as executor:
        try:
            yield lambda: [executor.submit(act) for _ in range(2) if executor._work_queue.qsize() < 24]
        finally:
            executor.shutdown(wait=False, cancel_futures=True)


@contextmanager
def canaries(site: AlarmSite) -> Iterator[Act]:
    """Start the canary once a second, in 6 environments: a failed run takes seconds, and alarms count bad minutes."""
    started_at = 0.0

    def start_canary() -> None:
        nonlocal started_at
        if time.monotonic() - started_at >= 1 and not executor._work_queue.qsize():
            started_at = time.monotonic()
            executor.submit(run_canary, site)

    with ThreadPoolExecutor(6) as executor:
        yield start_canary
        executor.shutdown(cancel_futures=True)
