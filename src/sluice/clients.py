"""Clients of botocore, with their calls in the trace."""

from typing import Any

import botocore.session
from botocore.config import Config

from sluice.tracing import Segment, part

_KEPT = "sluice_segment"


def client(service: str, config: Config) -> Any:
    """Make a client of botocore. Each of its calls, retries included, is a subsegment of the trace."""
    made: Any = botocore.session.get_session().create_client(service, config=config)
    events = made.meta.events
    events.register("before-call", _begin)
    events.register("after-call", _end)
    events.register("after-call-error", _failed)
    return made


def _begin(model: Any, params: dict[str, Any], request_signer: Any, context: dict[str, Any], **_: Any) -> None:
    segment = part(model.service_model.service_name, "aws").begin()
    segment.about(operation=model.name, region=request_signer.region_name)
    params["headers"].update(segment.headers())
    context[_KEPT] = segment


def _end(http_response: Any, parsed: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    segment: Segment | None = context.pop(_KEPT, None)
    if segment:
        known = parsed.get("ResponseMetadata", {})
        segment.answered(http_response.status_code, str(known.get("RequestId", "")))
        segment.about(retries=known.get("RetryAttempts", 0))
        segment.end()


def _failed(exception: BaseException, context: dict[str, Any], **_: Any) -> None:
    segment: Segment | None = context.pop(_KEPT, None)
    if segment:
        segment.end(type(exception))
