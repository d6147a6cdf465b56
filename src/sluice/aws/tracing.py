"""X-Ray: one subsegment for an invocation's work, and one within it for each call of AWS.

A subsegment is one datagram to the daemon that Lambda runs beside a function; nobody waits for it, and one that is
lost is only missing in a trace.
"""

import os
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec

if TYPE_CHECKING:
    import socket

_HEADER = b'{"format": "json", "version": 1}\n'


_DAEMON = "127.0.0.1:2000"


# The subsegments that are open, the innermost last.
_open: list["Subsegment"] = []


_sender: list["socket.socket"] = []


class Subsegment:
    """A subsegment. Without a trace it does nothing."""

    def __init__(self, name: str = "", namespace: str = "", trace: str = "", parent: str = "") -> None:
        self._document: dict[str, Any] = {}
        if trace:
            self._document = {"id": os.urandom(8).hex(), "type": "subsegment", "name": name[:200]}
            self._document |= {"trace_id": trace, "parent_id": parent}
            self._document |= {"namespace": namespace} if namespace else {}

    @property
    def id(self) -> str:
        return str(self._document["id"])

    def annotate(self, **annotations: object) -> None:
        """Add what traces are searched by."""
        self._add("annotations", annotations)

    def add_aws_fields(self, **known: object) -> None:
        """Add what is known of a call of AWS."""
        self._add("aws", known)

    def set_response(self, status: int, request_id: str) -> None:
        """Say what a call of AWS brought."""
        self._add("http", {"response": {"status": status}})
        self._add("aws", {"request_id": request_id})
        if self._document:
            self._document |= {"error": 400 <= status < 500, "throttle": status == 429, "fault": status >= 500}

    def trace_headers(self) -> dict[str, str]:
        """The header by which the service that is called continues the trace."""
        if not self._document:
            return {}
        return {"x-amzn-trace-id": f"Root={self._document['trace_id']};Parent={self.id};Sampled=1"}

    def begin(self) -> Self:
        """Count the time from now on; what is begun before the end is within."""
        if self._document:
            self._document["start_time"] = time.time()
            _open.append(self)
        return self

    def end(self, kind: type[BaseException] | None = None) -> None:
        """Send it. An error is named by its class only: its message may quote data."""
        if not self._document:
            return
        if self in _open:
            del _open[_open.index(self) :]
        if kind:
            self._document |= {"cause": {"exceptions": [{"id": os.urandom(8).hex(), "type": kind.__name__}]}}
            self._document["fault"] = not self._document.get("error")
        self._document["end_time"] = time.time()
        _send(msgspec.json.encode(self._document))

    def __enter__(self) -> Self:
        return self.begin()

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self.end(kind)

    def _add(self, place: str, more: dict[str, object]) -> None:
        if self._document:
            self._document.setdefault(place, {}).update(more)


def create_subsegment(name: str, namespace: str = "") -> Subsegment:
    """A subsegment of the innermost one that is open, or else of Lambda's own segment."""
    header = os.environ.get("_X_AMZN_TRACE_ID", "")
    if "Sampled=1" not in header or not _within_lambda():
        return Subsegment()
    known = dict(pair.partition("=")[::2] for pair in header.split(";"))
    parent = _open[-1].id if _open else known.get("Parent", "")
    return Subsegment(name, namespace, known.get("Root", ""), parent)


def discard_open_subsegments() -> None:
    """Forget what an invocation before left open, as one that ran out of time does."""
    _open.clear()


def _within_lambda() -> bool:
    found = os.environ
    off = found.get("POWERTOOLS_TRACE_DISABLED", "").lower() in ("1", "true", "yes", "on", "y", "t")
    return bool(found.get("LAMBDA_TASK_ROOT")) and not found.get("AWS_SAM_LOCAL") and not off


def _send(document: bytes) -> None:
    import socket  # noqa: PLC0415  most invocations are in no sampled trace

    try:
        if not _sender:
            _sender.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            _sender[0].setblocking(False)
        _sender[0].sendto(_HEADER + document, _daemon_address())
    except OSError:
        # A trace is not worth a failed write.
        _sender.clear()


def _daemon_address() -> tuple[str, int]:
    """The daemon's address, told as HOST:PORT or as `tcp:HOST:PORT udp:HOST:PORT`."""
    told = (os.environ.get("AWS_XRAY_DAEMON_ADDRESS") or _DAEMON).split()
    host, port = next((one for one in told if one.startswith("udp:")), told[0]).removeprefix("udp:").split(":")
    return host, int(port)
