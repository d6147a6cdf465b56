"""A service asked through botocore, which knows of every way to find credentials and endpoints."""

from typing import Any

from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from sluice.aws.faults import AwsError, ConnectionFault
from sluice.aws.service import Service
from sluice.clients import client


class BotocoresClient:
    """See sluice.aws.service.Client."""

    def __init__(self, service: Service) -> None:
        self.service = service
        # Standard mode retries with a cap, backoff and jitter.
        config = Config(
            connect_timeout=service.connect_seconds,
            read_timeout=service.read_seconds,
            retries={"mode": "standard", "total_max_attempts": service.tries},
        )
        self._client = client(service.name, config)

    def call(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """See Client."""
        try:
            found: dict[str, Any] = getattr(self._client, xform_name(operation))(**parameters)
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            raise AwsError(str(error.response.get("Error", {}).get("Code", "Unknown")), operation, status) from None
        except BotoCoreError as error:
            raise ConnectionFault(type(error).__name__, operation) from None
        return found
