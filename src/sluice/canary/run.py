"""One run of the canary: write its item through the public address, and read it until the write can be seen."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Protocol

import msgspec

from sluice.canary.caller import Answer
from sluice.model.canary_item import CANARY, CANARY_ITEM_ID
from sluice.model.versions import is_version, version_age_seconds

ITEM_PATH = f"/v1/{CANARY.collection}/{CANARY_ITEM_ID}"
POLLS = 20
"""Reads of a wait: the time until a write can be read is measured to a twentieth of the objective."""
MAX_WAIT_SECONDS = 840.0
"""The function's timeout (900 s), less the requests of a run."""


class Caller(Protocol):
    """Calls the service: `sluice.canary.caller.ServiceCaller`."""

    def call(self, method: str, path: str, document: object = None) -> Answer:
        """Send one request, without a retry."""
        ...


@dataclass
class CanaryRun:
    """What a run measures, as counts of attempts and of failures.

    `readable_seconds` is the time from the 202 to the first read that shows the write. Where none did within the limit,
    it is the age of the state that the last read showed, which is more than the limit. None: no write was accepted.
    """

    writes: int = 0
    writes_failed: int = 0
    reads: int = 0
    reads_failed: int = 0
    waits: int = 0
    waits_failed: int = 0
    readable_seconds: float | None = None
    faults: list[str] = field(default_factory=list)


class Canary:
    """Writes and reads as a client does, and counts. `limit_seconds` is the objective for the time until readable."""

    def __init__(
        self,
        caller: Caller,
        limit_seconds: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._caller = caller
        self._limit_seconds = limit_seconds
        self._clock = clock
        self._sleep = sleep

    def write(self, run_id: str) -> tuple[CanaryRun, str]:
        """Write the item, and return the run so far with the version of the write, or with "" if it failed.

        Raises AccessTokenRefused.
        """
        run = CanaryRun(writes=1)
        answer = self._caller.call("PUT", ITEM_PATH, {"name": CANARY_ITEM_ID, "run": run_id})
        version = _read_version(answer) if answer.status == HTTPStatus.ACCEPTED else ""
        if not version:
            run.writes_failed = 1
            run.faults.append(_describe_fault("PUT", answer))
        return run, version

    def read(self, version: str = "") -> CanaryRun:
        """Read the item until a read shows the version, or a later one, or the limit has passed.

        Without a version it reads once. A read has failed if its answer is neither the item nor 404, as before the
        first load of the item. An old state is no failure of the read. Raises AccessTokenRefused.
        """
        run, shown, started = CanaryRun(), "", self._clock()
        # A longer wait than a function can do measures nothing, but it reads.
        is_waiting = bool(version) and self._limit_seconds <= MAX_WAIT_SECONDS
        run.waits = int(is_waiting)
        while True:
            shown = self._read_once(run) or shown
            waited = self._clock() - started
            if not is_waiting:
                return run
            if shown >= version:
                run.readable_seconds = waited
                return run
            if waited >= self._limit_seconds:
                run.waits_failed = 1
                run.readable_seconds = max(waited, version_age_seconds(shown) if shown else 0.0)
                return run
            self._sleep(min(self._limit_seconds / POLLS, self._limit_seconds - waited))

    def _read_once(self, run: CanaryRun) -> str:
        """Read once, count it, and return the version that it shows, or "" for none."""
        answer = self._caller.call("GET", ITEM_PATH)
        run.reads += 1
        if answer.status == HTTPStatus.NOT_FOUND:
            return ""
        version = _read_version(answer) if answer.status == HTTPStatus.OK else ""
        if not version:
            run.reads_failed += 1
            run.faults.append(_describe_fault("GET", answer))
        return version


class _Versioned(msgspec.Struct):
    version: str


def _read_version(answer: Answer) -> str:
    """Return the version in the body of an answer, or "" if the body is not the service's."""
    try:
        version = msgspec.json.decode(answer.body, type=_Versioned).version
    except msgspec.DecodeError:
        return ""
    return version if is_version(version) else ""


def _describe_fault(method: str, answer: Answer) -> str:
    """Describe a failed request for the log: status or error, and the id by which all logs are joined."""
    return " ".join(filter(None, [method, str(answer.status or answer.fault), answer.request_id]))
