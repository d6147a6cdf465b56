"""X-Ray subsegments: one for the work of an invocation, and in it one for each call of AWS.

A subsegment is one datagram to the daemon that Lambda runs beside the function. Nothing waits for it; a lost one is
only missing from the trace.
"""

import os
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec

if TYPE_CHECKING:
    import socket

_HEADER = b'{"format": "json", "version": 1}\n'
_DEFAULT_DAEMON = "127.0.0.1:2000"

_open_subsegments: list["Subsegment"] = []  # the innermost is the last
_sockets: list["socket.socket"] = []  # at most one


class Subsegment:
    """A subsegment of the trace. Without a trace it does nothing."""

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
        """Add annotations, by which traces can be searched."""
        self._update("annotations", annotations)

    def add_aws_fields(self, **fields: object) -> None:
        """Add fields about a call of AWS."""
        self._update("aws", fields)

    def set_response(self, status: int, request_id: str) -> None:
        """Add the response of a call of AWS."""
        self._update("http", {"response": {"status": status}})
        self._update("aws", {"request_id": request_id})
        if self._document:
            self._document |= {"error": 400 <= status < 500, "throttle": status == 429, "fault": status >= 500}

    def trace_headers(self) -> dict[str, str]:
        """Return the header by which the called service continues the trace."""
        if not self._document:
            return {}
        return {"x-amzn-trace-id": f"Root={self._document['trace_id']};Parent={self.id};Sampled=1"}

    def begin(self) -> Self:
        """Start the time. A subsegment that begins before this one ends becomes its child."""
        if self._document:
            self._document["start_time"] = time.time()
            _open_subsegments.append(self)
        return self

    def end(self, error: type[BaseException] | None = None) -> None:
        """Stop the time and send the subsegment. Only the error's class is sent: its message may quote data."""
        if not self._document:
            return
        if self in _open_subsegments:
            del _open_subsegments[_open_subsegments.index(self) :]
        if error:
            self._document |= {"cause": {"exceptions": [{"id": os.urandom(8).hex(), "type": error.__name__}]}}
            self._document["fault"] = not self._document.get("error")
        self._document["end_time"] = time.time()
        _send_document(msgspec.json.encode(self._document))

    def __enter__(self) -> Self:
        return self.begin()

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self.end(kind)

    def _update(self, section: str, fields: dict[str, object]) -> None:
        if self._document:
            self._document.setdefault(section, {}).update(fields)


def create_subsegment(name: str, namespace: str = "") -> Subsegment:
    """Create a child of the innermost open subsegment, or of Lambda's own segment."""
    header = os.environ.get("_X_AMZN_TRACE_ID", "")
    if "Sampled=1" not in header or not _is_tracing_enabled():
        return Subsegment()
    fields = dict(pair.partition("=")[::2] for pair in header.split(";"))
    parent = _open_subsegments[-1].id if _open_subsegments else fields.get("Parent", "")
    return Subsegment(name, namespace, fields.get("Root", ""), parent)


def discard_open_subsegments() -> None:
    """Discard what the invocation before did not end, because it ran out of time."""
    _open_subsegments.clear()


def _is_tracing_enabled() -> bool:
    environ = os.environ
    disabled = environ.get("POWERTOOLS_TRACE_DISABLED", "").lower() in ("1", "true", "yes", "on", "y", "t")
    return bool(environ.get("LAMBDA_TASK_ROOT")) and not environ.get("AWS_SAM_LOCAL") and not disabled


def _send_document(document: bytes) -> None:
    import socket  # noqa: PLC0415  most invocations are in no sampled trace

    try:
        if not _sockets:
            _sockets.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            _sockets[0].setblocking(False)
        _sockets[0].sendto(_HEADER + document, _read_daemon_address())
    except OSError:
        # A trace is not worth a failed write.
        _sockets.clear()


def _read_daemon_address() -> tuple[str, int]:
    """Return the daemon's address. The variable has the form HOST:PORT or `tcp:HOST:PORT udp:HOST:PORT`."""
    addresses = (os.environ.get("AWS_XRAY_DAEMON_ADDRESS") or _DEFAULT_DAEMON).split()
    udp = next((address for address in addresses if address.startswith("udp:")), addresses[0])
    host, port = udp.removeprefix("udp:").split(":")
    return host, int(port)
