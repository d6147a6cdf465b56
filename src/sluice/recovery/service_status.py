"""`GET /v1/status`: whether writes are accepted, and how far reads are behind. It says only what it has evidence for.

Writes: the stream accepts a record without content, or does not. Reads: what the heartbeat of the last minute saw on
the replicas. It needs neither a database nor a token, because clients ask for it when something is missing.
"""

import datetime
import math
import time
from collections.abc import Callable
from typing import Literal

import msgspec

from sluice.errors import StreamUnavailable
from sluice.http.request import Request, read_query_parameters
from sluice.http.response import Response
from sluice.observability import add_log_fields, describe_error
from sluice.recovery.heartbeat import ReadsState

State = Literal["available", "unavailable", "unknown"]

# How old a status may be when a client gets it, from this function or from a cache.
STATUS_SECONDS = 5.0
# Two heartbeats may be missing. Afterwards the state of reads is unknown.
TRUST_SECONDS = 150.0
# What AWS answers when this function's own permission is missing: it says nothing about the permission of the others.
_OWN_FAULTS = frozenset({"AccessDeniedException", "UnrecognizedClientException", "ExpiredTokenException"})


class WritesStatus(msgspec.Struct, frozen=True):
    """`available`: the stream accepted a record."""

    state: State


class ReadsStatus(msgspec.Struct, frozen=True, omit_defaults=True):
    """`available`: at `checked_at` a replica answered. Those that serve reads had all that was loaded by `as_of`."""

    state: State
    checked_at: datetime.datetime | None = None
    as_of: datetime.datetime | None = None
    seconds_behind: int | None = None


class ServiceStatus(msgspec.Struct, frozen=True):
    """The status, as it was found at `at`."""

    at: datetime.datetime
    writes: WritesStatus
    reads: ReadsStatus


class StatusResponder:
    """Responds with a status that it determines at most once in STATUS_SECONDS.

    `probe_stream` puts a record, or raises StreamUnavailable. `read_heartbeat` returns the JSON of a ReadsState, or
    None; it may raise anything.
    """

    def __init__(
        self,
        probe_stream: Callable[[], None],
        read_heartbeat: Callable[[], bytes | None],
        now: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(datetime.UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._probe_stream = probe_stream
        self._read_heartbeat = read_heartbeat
        self._now = now
        self._clock = clock
        self._body = b""
        self._expires_at = 0.0

    def respond(self, request: Request) -> Response:
        """Respond with the status. Raises Problem 400 for a query parameter: each value would be new to the caches."""
        read_query_parameters(request)
        if self._clock() >= self._expires_at:
            self._expires_at = self._clock() + STATUS_SECONDS
            self._body = msgspec.json.encode(self._determine_status())
        # A cache may keep the status for what is left of the seconds, and must not serve an old one if this function
        # fails.
        max_age = max(0, math.floor(self._expires_at - self._clock()))
        return Response(200, self._body, {"Cache-Control": f"public, max-age={max_age}, stale-if-error=0"})

    def _determine_status(self) -> ServiceStatus:
        at = self._now()
        status = ServiceStatus(_floor(at), WritesStatus(self._probe_writes()), self._read_reads(at))
        add_log_fields(writes=status.writes.state, reads=status.reads.state)
        return status

    def _probe_writes(self) -> State:
        try:
            self._probe_stream()
        except StreamUnavailable as error:
            add_log_fields(stream_fault=error.code)
            return "unknown" if error.code in _OWN_FAULTS else "unavailable"
        return "available"

    def _read_reads(self, at: datetime.datetime) -> ReadsStatus:
        try:
            text = self._read_heartbeat()
            state = msgspec.json.decode(text, type=ReadsState) if text else None
        except Exception as error:  # noqa: BLE001  whatever it is, the state of reads is unknown
            add_log_fields(heartbeat_fault=describe_error(error))
            return ReadsStatus("unknown")
        if state is None or (at - state.checked_at).total_seconds() > TRUST_SECONDS:
            return ReadsStatus("unknown")
        if not state.is_available:
            return ReadsStatus("unavailable", _floor(state.checked_at))
        if state.as_of is None:
            return ReadsStatus("available", _floor(state.checked_at))
        seconds = max(0, math.ceil((state.checked_at - state.as_of).total_seconds()))
        return ReadsStatus("available", _floor(state.checked_at), _floor(state.as_of), seconds)


def _floor(moment: datetime.datetime) -> datetime.datetime:
    return moment.replace(microsecond=0)
