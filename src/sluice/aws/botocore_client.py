"""Clients of botocore, which finds credentials and endpoints in every way there is. Their calls are traced."""

from typing import Any

import botocore.session
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from sluice.aws.lambda_environment import Service
from sluice.aws.tracing import Subsegment, create_subsegment
from sluice.errors import AwsConnectionError, AwsError

_SUBSEGMENT_KEY = "sluice_subsegment"


class BotocoreClient:
    """A client of one JSON service: see `sluice.aws.client.AwsClient`."""

    def __init__(self, service: Service) -> None:
        self.service = service
        # Standard mode retries with a budget, backoff and jitter.
        config = Config(
            connect_timeout=service.connect_seconds,
            read_timeout=service.read_seconds,
            retries={"mode": "standard", "total_max_attempts": service.max_attempts},
        )
        self._client = create_botocore_client(service.name, config)

    def call(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """See AwsClient."""
        try:
            response: dict[str, Any] = getattr(self._client, xform_name(operation))(**parameters)
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            raise AwsError(str(error.response.get("Error", {}).get("Code", "Unknown")), operation, status) from None
        except BotoCoreError as error:
            raise AwsConnectionError(type(error).__name__, operation) from None
        return response


def create_botocore_client(service: str, config: Config) -> Any:
    """Create a client of botocore. Each of its calls, including retries, is one subsegment of the trace."""
    client: Any = botocore.session.get_session().create_client(service, config=config)
    events = client.meta.events
    events.register("before-call", _begin_subsegment)
    events.register("after-call", _end_subsegment)
    events.register("after-call-error", _end_failed_subsegment)
    return client


def _begin_subsegment(
    model: Any, params: dict[str, Any], request_signer: Any, context: dict[str, Any], **_: Any
) -> None:
    segment = create_subsegment(model.service_model.service_name, "aws").begin()
    segment.add_aws_fields(operation=model.name, region=request_signer.region_name)
    params["headers"].update(segment.trace_headers())
    context[_SUBSEGMENT_KEY] = segment


def _end_subsegment(http_response: Any, parsed: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    segment: Subsegment | None = context.pop(_SUBSEGMENT_KEY, None)
    if segment:
        metadata = parsed.get("ResponseMetadata", {})
        segment.set_response(http_response.status_code, str(metadata.get("RequestId", "")))
        segment.add_aws_fields(retries=metadata.get("RetryAttempts", 0))
        segment.end()


def _end_failed_subsegment(exception: BaseException, context: dict[str, Any], **_: Any) -> None:
    segment: Subsegment | None = context.pop(_SUBSEGMENT_KEY, None)
    if segment:
        segment.end(type(exception))
