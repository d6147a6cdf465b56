"""Play a trace against the stack: requests at the moments of the trace, whatever earlier ones take."""

import json
import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import urllib3

from local.process import LocalError
from testkit.mix.model import PAGE_LIMIT
from testkit.mix.trace import Step

COLLECTION = "airports"
WORKERS = 16


@dataclass(frozen=True, slots=True)
class Reading:
    """The response to a read. `started` is of `time.monotonic()`; `versions` are those of the items that it shows."""

    step: Step
    started: float
    seconds: float
    status: int
    x_cache: str
    request_id: str
    versions: Mapping[str, str]


@dataclass
class Written:
    """A write and the version of its receipt."""

    item: str
    version: str


@dataclass
class Recording:
    """What happened. `writes` by number."""

    readings: list[Reading] = field(default_factory=list)
    writes: dict[int, Written] = field(default_factory=dict)
    refused_writes: int = 0


class Player:
    """Users with a token and a memory of ETags each. `records` are the current contents of the items."""

    def __init__(
        self, api_url: str, tokens: list[str], editor_token: str, records: Mapping[str, Mapping[str, Any]]
    ) -> None:
        self._url, self._tokens, self._editor, self._records = api_url, tokens, editor_token, records
        self._pool = urllib3.PoolManager(maxsize=WORKERS, retries=False, timeout=30)
        self._tags: dict[tuple[int, str], tuple[str, Mapping[str, str]]] = {}
        self._lock = threading.Lock()
        self.recording = Recording()

    def play(self, steps: Iterable[Step], start: float) -> None:
        """Send the requests; a step's moment counts from `start` (`time.monotonic()`). Raises LocalError."""
        with ThreadPoolExecutor(WORKERS) as workers:
            futures: list[Future[None]] = []
            for step in steps:
                time.sleep(max(0.0, start + step.at - time.monotonic()))
                futures.append(workers.submit(self._write if step.kind == "write" else self._read, step))
            for future in futures:
                future.result()

    def _write(self, step: Step) -> None:
        item = {**self._records[step.target], "elevation": float(step.write_number)}
        response = self._send("PUT", step.target, self._editor, {}, json.dumps(item).encode())
        if response.status != 202:
            raise LocalError(f"A write was refused: {response.status} {response.data!r}")
        with self._lock:
            self.recording.writes[step.write_number] = Written(step.target, response.json()["version"])

    def _read(self, step: Step) -> None:
        with self._lock:
            written = self.recording.writes.get(step.write_number)
            previous = self._tags.get((step.user, step.target))
        path, headers = step.target, {}
        if step.kind == "list":
            path = f"?country={step.target}&limit={PAGE_LIMIT}"
        elif step.kind == "own":
            if written is None:
                return
            path = f"{step.target}?version={written.version}"
        if previous and step.is_conditional and step.kind != "own":
            headers = {"If-None-Match": previous[0]}
        started = time.monotonic()
        response = self._send("GET", path, self._tokens[step.user], headers)
        seconds = time.monotonic() - started
        versions = _read_versions(step, response, previous)
        with self._lock:
            if response.status in {200, 304} and step.kind != "own":
                self._tags[step.user, step.target] = response.headers["ETag"], versions
            self.recording.readings.append(
                Reading(
                    step,
                    started,
                    seconds,
                    response.status,
                    response.headers.get("X-Cache", "").partition(" ")[0],
                    response.headers.get("x-amzn-requestid", ""),
                    versions,
                )
            )

    def _send(self, method: str, path: str, token: str, headers: dict[str, str], body: bytes | None = None) -> Any:
        separator = "" if path.startswith("?") else "/"
        return self._pool.request(
            method,
            f"{self._url}/v1/{COLLECTION}{separator}{path}",
            body=body,
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json", **headers},
        )


def _read_versions(step: Step, response: Any, previous: tuple[str, Mapping[str, str]] | None) -> Mapping[str, str]:
    if response.status == 304 and previous:
        return previous[1]
    if response.status != 200:
        return {}
    items = response.json()["items"] if step.kind == "list" else [response.json()]
    return {item["id"]: item["version"] for item in items}
