"""X-Ray subsegments: one for the work of an invocation, and in it one for each call of AWS, the database or the cache.

The X-Ray SDK makes them and sends each as a datagram to the daemon that Lambda runs beside the function. Nothing waits
for it; a lost one is only missing from the trace. The SDK is imported at the first invocation in a sampled trace, so
that other invocations do not pay for it. It patches no library: what it would record of a call (messages of errors,
stacks, parameters) may quote data. See docs/adr/0118-trace-with-the-x-ray-sdk.md.
"""

import logging
import os
from functools import cache
from types import TracebackType
from typing import Any, Literal, Self

Namespace = Literal["local", "aws", "remote"]

_SAMPLED = "Sampled=1"


class Subsegment:
    """A subsegment of the trace. Outside a sampled trace it does nothing."""

    def __init__(
        self, recorder: Any = None, name: str = "", namespace: Namespace = "local", database_type: str = ""
    ) -> None:
        self._recorder = recorder
        self._name = name[:200]
        self._namespace = namespace
        self._database_type = database_type
        self._entity: Any = None  # of the SDK, from begin to end

    def annotate(self, **annotations: str | float | bool) -> None:
        """Add annotations, by which traces can be searched."""
        for key, value in annotations.items() if self._entity else ():
            self._entity.put_annotation(key, value)

    def add_aws_fields(self, **fields: object) -> None:
        """Add fields about a call of AWS."""
        if self._entity:
            self._entity.set_aws({**self._entity.aws, **fields})

    def set_response(self, status: int, request_id: str) -> None:
        """Add the response of a call of AWS."""
        if self._entity:
            self._entity.put_http_meta("status", status)
            self.add_aws_fields(request_id=request_id)

    def trace_headers(self) -> dict[str, str]:
        """Return the header by which the called service continues the trace."""
        headers: dict[str, str] = {}
        if self._entity and self._entity.sampled:
            from aws_xray_sdk.ext.util import inject_trace_header  # noqa: PLC0415  only in a sampled trace

            inject_trace_header(headers, self._entity)
        return headers

    def begin(self) -> Self:
        """Start the time. A subsegment that begins before this one ends becomes its child."""
        if self._recorder:
            self._entity = self._recorder.begin_subsegment(self._name, self._namespace)
            if self._entity and self._database_type:
                self._entity.set_sql({"database_type": self._database_type})
        return self

    def end(self, error: type[BaseException] | None = None) -> None:
        """Stop the time and send the subsegment. Only the error's class is sent: its message may quote data."""
        entity, self._entity = self._entity, None
        if not entity:
            return
        if error:
            is_refused = getattr(entity, "error", False)
            entity.add_exception(type(error.__name__, (Exception,), {})(), [])
            entity.fault = not is_refused
        self._recorder.end_subsegment()

    def __enter__(self) -> Self:
        return self.begin()

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self.end(kind)


_NO_SUBSEGMENT = Subsegment()


def create_subsegment(name: str, namespace: Namespace = "local", *, database_type: str = "") -> Subsegment:
    """Create a child of the innermost open subsegment of the thread, or of Lambda's own segment.

    `namespace` is `aws` for a call of AWS and `remote` for one of another server.
    """
    if _SAMPLED not in os.environ.get("_X_AMZN_TRACE_ID", "") or not _is_tracing_enabled():
        return _NO_SUBSEGMENT
    return Subsegment(_get_recorder(), name, namespace, database_type)


def create_invocation_subsegment(name: str) -> Subsegment:
    """Create a child of Lambda's own segment, whatever the invocation before left open when it ran out of time."""
    subsegment = create_subsegment(name)
    if subsegment is not _NO_SUBSEGMENT and (recorder := _get_recorder()):
        recorder.clear_trace_entities()
    return subsegment


def _is_tracing_enabled() -> bool:
    environ = os.environ
    disabled = environ.get("POWERTOOLS_TRACE_DISABLED", "").lower() in ("1", "true", "yes", "on", "y", "t")
    return bool(environ.get("LAMBDA_TASK_ROOT")) and not environ.get("AWS_SAM_LOCAL") and not disabled


@cache
def _get_recorder() -> Any:
    """The SDK's recorder, or None if there can be none, for example because the daemon's address is malformed."""
    # The SDK logs a document that it cannot send as an error, with its traceback.
    logging.getLogger("aws_xray_sdk").setLevel(logging.CRITICAL)
    try:
        from aws_xray_sdk.core import AWSXRayRecorder  # noqa: PLC0415  only in a sampled trace

        return AWSXRayRecorder()
    except Exception as error:  # noqa: BLE001  a trace is not worth a failed write
        logging.getLogger(__name__).warning("no traces: the X-Ray SDK raises %s", type(error).__name__)
        return None
