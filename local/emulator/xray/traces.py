"""Gap: MiniStack has no X-Ray.

Here the emulator listens for the datagrams of X-Ray's SDK, as the daemon beside a function does on AWS, and answers
GetTraceSummaries and BatchGetTraces. Of filter expressions it understands `annotation.NAME = "VALUE"` only. There are
no segments but those that functions send, and they are gone when the emulator stops.
"""

import json
import os
import re
import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from ministack import app
from ministack.core import router

from local.emulator.patching import UnexpectedMiniStackError

# The oldest traces are dropped.
MAX_TRACES = 2_000
MAX_DATAGRAM_BYTES = 65_535
_FILTER = re.compile(r'annotation\.([A-Za-z0-9_]+)\s*=\s*"([^"]*)"')

Trace = dict[str, dict[str, Any]]  # its documents by id
Response = tuple[int, dict[str, str], bytes]

_traces: OrderedDict[str, Trace] = OrderedDict()
_lock = threading.Lock()


def store_datagram(datagram: bytes) -> None:
    """Store the document of a datagram: a header line, then the document. Another datagram is ignored."""
    try:
        document = json.loads(datagram.partition(b"\n")[2])
        trace_id, segment_id = str(document["trace_id"]), str(document["id"])
    except (ValueError, KeyError, TypeError):
        return
    with _lock:
        _traces.setdefault(trace_id, {})[segment_id] = document
        while len(_traces) > MAX_TRACES:
            _traces.popitem(last=False)


def _listen(daemon: socket.socket) -> None:
    while True:
        store_datagram(daemon.recv(MAX_DATAGRAM_BYTES))


async def _handle_request(method: str, path: str, headers: Any, body: bytes, query: Any) -> Response:  # noqa: ARG001
    request = json.loads(body or b"{}")
    if path == "/TraceSummaries":
        return _get_trace_summaries(request)
    if path == "/Traces":
        return _batch_get_traces(request)
    return _respond(404, {"message": f"The emulator's X-Ray has no {method} {path}."})


def _get_trace_summaries(request: dict[str, Any]) -> Response:
    expression = request.get("FilterExpression") or ""
    matched = _FILTER.fullmatch(expression.strip())
    if expression and matched is None:
        return _respond(400, {"__type": "InvalidRequestException", "message": f"Not supported: {expression}"})
    with _lock:
        summaries = [
            {"Id": trace_id, "IsPartial": False}
            for trace_id, trace in _traces.items()
            if request["StartTime"] <= min(_iterate_starts(trace)) <= request["EndTime"]
            and (matched is None or _has_annotation(trace, matched[1], matched[2]))
        ]
    return _respond(200, {"TraceSummaries": summaries, "TracesProcessedCount": len(summaries)})


def _batch_get_traces(request: dict[str, Any]) -> Response:
    with _lock:
        traces = [
            {
                "Id": trace_id,
                "Segments": [
                    {"Id": segment_id, "Document": json.dumps(document)}
                    for segment_id, document in _traces[trace_id].items()
                ],
            }
            for trace_id in request["TraceIds"]
            if trace_id in _traces
        ]
    missing = [trace_id for trace_id in request["TraceIds"] if trace_id not in {trace["Id"] for trace in traces}]
    return _respond(200, {"Traces": traces, "UnprocessedTraceIds": missing})


def _iterate_starts(trace: Trace) -> Iterator[float]:
    for document in trace.values():
        yield float(document.get("start_time") or time.time())


def _has_annotation(trace: Trace, name: str, value: str) -> bool:
    return any(str((document.get("annotations") or {}).get(name)) == value for document in trace.values())


def _respond(status: int, document: dict[str, Any]) -> Response:
    return status, {"Content-Type": "application/json"}, json.dumps(document).encode()


def patch() -> None:
    if "xray" in app.SERVICE_HANDLERS:
        raise UnexpectedMiniStackError("MiniStack has X-Ray now: use it instead of this patch.")
    app.SERVICE_HANDLERS["xray"] = _handle_request
    router.SERVICE_PATTERNS["xray"] = {}
    daemon = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    # Datagrams have ports of their own, so the number of the emulator's own port is free.
    daemon.bind(("127.0.0.1", int(os.environ["GATEWAY_PORT"])))
    threading.Thread(target=_listen, args=(daemon,), daemon=True).start()
