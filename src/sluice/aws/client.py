"""Clients of AWS's JSON services: their interface, and the choice between the two.

See docs/adr/0119-sign-with-aws-sdk-signers-and-send-with-http-client.md.
"""

from importlib.util import find_spec
from typing import Any, Protocol

from sluice.aws.lambda_environment import Service, is_standard_lambda


class AwsClient(Protocol):
    """A client of one service."""

    def call(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Call an operation and return its response. Bytes among the parameters are blobs. Raises AwsError."""


def create_client(service: Service) -> AwsClient:
    """Create a client: JsonClient if the environment is as Lambda makes it, else one that leaves all to botocore.

    Without AWS's signer, which needs Python 3.12, it is botocore too.
    """
    if is_standard_lambda() and find_spec("aws_sdk_signers"):
        from sluice.aws.json_client import JsonClient  # noqa: PLC0415  Python 3.11 cannot import it

        return JsonClient(service)
    from sluice.aws.botocore_client import BotocoreClient  # noqa: PLC0415  botocore is slow to import

    return BotocoreClient(service)
