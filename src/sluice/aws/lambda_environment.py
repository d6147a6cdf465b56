"""Whether a function is where Lambda puts it, and what Lambda tells it there.

What is known there without a look at any file or model is known here. Whatever is said in another way (a profile, a
container's credentials, another partition, FIPS, a proxy) is left to botocore: see `sluice.aws.client`.
"""

import os
import re

from sluice.aws.signing import AwsCredentials

# Where all services have an endpoint by their own name below amazonaws.com.
_PLAIN_REGION = re.compile(r"(af|ap|ca|eu|il|me|mx|sa|us)-[a-z]+-[0-9]+")


_NEEDED = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION")


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


def is_standard_lambda() -> bool:
    """Whether everything is as Lambda makes it, so that nobody else need be asked."""
    if not all(os.environ.get(name) for name in _NEEDED) or any(
        os.environ.get(name) for name in BOTOCORE_ONLY_VARIABLES
    ):
        return False
    return bool(_PLAIN_REGION.fullmatch(aws_region()))


def aws_region() -> str:
    return os.environ["AWS_DEFAULT_REGION"]


def endpoint_url(service: str, variable: str) -> str:
    """The address of a service. `variable` ends the name of the variable that may tell another one."""
    told = os.environ.get(f"AWS_ENDPOINT_URL_{variable}") or os.environ.get("AWS_ENDPOINT_URL")
    return told or f"https://{service}.{aws_region()}.amazonaws.com"


def role_credentials() -> AwsCredentials:
    """The role's credentials."""
    found = os.environ
    return AwsCredentials(
        found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"], found.get("AWS_SESSION_TOKEN", "")
    )
