"""Write through the API while the emulator is killed and started again."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from local.stack import Stack, up
from tests.stack.rebuild_harness import build_code
from tests.stack.recovery_harness import Versions
from tests.stack.samples import airport

CLIENTS = 4


@dataclass
class Writers:
    """Clients whose writes may fail. Each write is a new airport, so one without a response changes no other.

    The codes begin with `mark`, a digit or capital letter. `accepted` has the versions of the writes that got a 202.
    """

    client: Callable[[str], httpx.Client]
    token: str
    mark: str
    accepted: Versions = field(default_factory=Versions)
    refused: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _number: int = 0

    @contextmanager
    def write_continuously(self) -> Iterator[None]:
        stop = threading.Event()
        with ThreadPoolExecutor(CLIENTS) as pool:
            futures = [pool.submit(self._write_until, stop) for _ in range(CLIENTS)]
            try:
                yield
            finally:
                stop.set()
        for future in futures:
            future.result()

    def _write_until(self, stop: threading.Event) -> None:
        api = self.client(self.token)
        while not stop.is_set():
            with self._lock:
                code = build_code(self.mark, self._number)
                self._number += 1
            try:
                response = api.put(f"/v1/airports/{code}", json=airport(code))
            except httpx.HTTPError:
                response = None
            with self._lock:
                if response is not None and response.status_code == 202:
                    self.accepted[code] = response.json()["version"]
                    continue
                self.refused += 1
            time.sleep(0.02)


def kill_and_start(stack: Stack) -> tuple[float, list[str]]:
    """Kill the emulator and start the stack again, which deploys nothing.

    Returns the seconds until it was up, and what `up` reported.
    """
    deploy_log = stack.folder.log_path("deploy")
    deployed_at = deploy_log.stat().st_mtime_ns
    stack.emulator.kill()
    began, lines = time.monotonic(), list[str]()
    up(stack.folder.root, report_progress=lines.append)
    assert deploy_log.stat().st_mtime_ns == deployed_at
    return time.monotonic() - began, lines
