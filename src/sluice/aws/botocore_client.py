"""Clients of botocore, with their calls in the trace.

A service asked through botocore, which knows of every way to find credentials and endpoints.
"""

from typing import Any

import botocore.session
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from sluice.aws.client import Service
from sluice.aws.tracing import Subsegment, create_subsegment
from sluice.errors import AwsConnectionError, AwsError

_KEPT = "sluice_segment"


def create_botocore_client(service: str, config: Config) -> Any:
    """Make a client of botocore. Each of its calls, retries included, is a subsegment of the trace."""
    made: Any = botocore.session.get_session().create_client(service, config=config)
    events = made.meta.events
    events.register("before-call", _begin)
    events.register("after-call", _end)
    events.register("after-call-error", _failed)
    return made


def _begin(model: Any, params: dict[str, Any], request_signer: Any, context: dict[str, Any], **_: Any) -> None:
    segment = create_subsegment(model.service_model.service_name, "aws").begin()
    segment.add_aws_fields(operation=model.name, region=request_signer.region_name)
    params["headers"].update(segment.trace_headers())
    context[_KEPT] = segment


def _end(http_response: Any, parsed: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    segment: Subsegment | None = context.pop(_KEPT, None)
    if segment:
        known = parsed.get("ResponseMetadata", {})
        segment.set_response(http_response.status_code, str(known.get("RequestId", "")))
        segment.add_aws_fields(retries=known.get("RetryAttempts", 0))
        segment.end()


def _failed(exception: BaseException, context: dict[str, Any], **_: Any) -> None:
    segment: Subsegment | None = context.pop(_KEPT, None)
    if segment:
        segment.end(type(exception))


class BotocoreClient:
    """See sluice.aws.client.AwsClient."""

    def __init__(self, service: Service) -> None:
        self.service = service
        # Standard mode retries with a cap, backoff and jitter.
        config = Config(
            connect_timeout=service.connect_seconds,
            read_timeout=service.read_seconds,
            retries={"mode": "standard", "total_max_attempts": service.max_attempts},
        )
        self._client = create_botocore_client(service.name, config)

    def call(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """See Client."""
        try:
            found: dict[str, Any] = getattr(self._client, xform_name(operation))(**parameters)
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            raise AwsError(str(error.response.get("Error", {}).get("Code", "Unknown")), operation, status) from None
        except BotoCoreError as error:
            raise AwsConnectionError(type(error).__name__, operation) from None
        return found
