"""AWS's JSON services, and what Lambda's environment says about reaching them.

Only what the environment says without a look at any file or model is known here. Everything else (a profile, the
credentials of a container, another partition, FIPS, a proxy) is left to botocore: see `sluice.aws.client`.
"""

import os
import re
from dataclasses import dataclass
from typing import NamedTuple

# The regions in which every service has an endpoint by its own name below amazonaws.com.
_STANDARD_REGION = re.compile(r"(af|ap|ca|eu|il|me|mx|sa|us)-[a-z]+-[0-9]+")
_REQUIRED_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION")
BOTOCORE_ONLY_VARIABLES = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_CA_BUNDLE",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "REQUESTS_CA_BUNDLE",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "http_proxy",
    "https_proxy",
)


@dataclass(frozen=True)
class Service:
    """A JSON service of AWS, and how long and how often a client tries to call it.

    `name` is its name in endpoints and signatures, `endpoint_variable` its name in AWS_ENDPOINT_URL_…, `target_prefix`
    its API's name in the header X-Amz-Target.
    """

    name: str
    endpoint_variable: str
    target_prefix: str
    connect_seconds: float = 1
    read_seconds: float = 2
    max_attempts: int = 3


class AwsCredentials(NamedTuple):
    """The credentials that sign the requests of a role."""

    access_key: str
    secret_key: str
    session_token: str

    def __repr__(self) -> str:
        return f"AwsCredentials({self.access_key!r})"


def is_standard_lambda() -> bool:
    """Whether the environment is as Lambda makes it, so that botocore has nothing to add."""
    if not all(os.environ.get(name) for name in _REQUIRED_VARIABLES):
        return False
    if any(os.environ.get(name) for name in BOTOCORE_ONLY_VARIABLES):
        return False
    return bool(_STANDARD_REGION.fullmatch(read_region()))


def read_region() -> str:
    """Return the region of the function."""
    return os.environ["AWS_DEFAULT_REGION"]


def build_endpoint_url(service: Service) -> str:
    """Return the URL of a service: its own variable, the variable for all services, or its public endpoint."""
    url = os.environ.get(f"AWS_ENDPOINT_URL_{service.endpoint_variable}") or os.environ.get("AWS_ENDPOINT_URL")
    return url or f"https://{service.name}.{read_region()}.amazonaws.com"


def read_role_credentials() -> AwsCredentials:
    """Return the credentials of the function's role."""
    environ = os.environ
    return AwsCredentials(
        environ["AWS_ACCESS_KEY_ID"], environ["AWS_SECRET_ACCESS_KEY"], environ.get("AWS_SESSION_TOKEN", "")
    )
