"""A client of one of AWS's JSON services.

Whole clients of botocore take some 200 ms to start, nearly all of it for what a put on a stream does not need: every
service's model, the rules of endpoints, the documentation's tools. See docs/decisions.md.
"""

from sluice.aws import surroundings
from sluice.aws.plain import PlainClient
from sluice.aws.service import Client, Service


def client(service: Service) -> Client:
    """Make a client: our own where everything is as Lambda makes it, else one that leaves all to botocore."""
    if surroundings.plain():
        return PlainClient(service)
    from sluice.aws.botocores import BotocoresClient  # noqa: PLC0415  it takes its time

    return BotocoresClient(service)
