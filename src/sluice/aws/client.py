"""A client of one of AWS's JSON services.

Whole clients of botocore take some 200 ms to start, nearly all of it for what a put on a stream does not need: every
service's model, the rules of endpoints, the documentation's tools. See docs/adr/0061-call-aws-with-a-small-client.md.

A service of AWS, and what it is asked with.
"""

from dataclasses import dataclass
from typing import Any, Protocol

from sluice.aws import lambda_environment as surroundings


@dataclass(frozen=True)
class Service:
    """A service by its name in addresses and signatures, by its name in variables, and by its API's name."""

    name: str
    endpoint_variable: str
    target_prefix: str
    connect_seconds: float = 1
    read_seconds: float = 2
    max_attempts: int = 3


class AwsClient(Protocol):
    """What a service is asked with."""

    def call(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Call an operation and return its answer. Bytes among the parameters are blobs. Raises AwsError."""


def create_client(service: Service) -> AwsClient:
    """Make a client: our own where everything is as Lambda makes it, else one that leaves all to botocore."""
    if surroundings.is_standard_lambda():
        from sluice.aws.json_client import JsonClient  # noqa: PLC0415  it imports this module

        return JsonClient(service)
    from sluice.aws.botocore_client import BotocoreClient  # noqa: PLC0415  it takes its time

    return BotocoreClient(service)
