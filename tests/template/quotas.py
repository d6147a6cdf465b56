"""The settings of samconfig.toml and the template's defaults against the quota of a Firehose stream.

A stream takes so many requests per second. The API must not admit more writes, because clients get 503 for the rest.
"""

import argparse
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ops.preflight.account import WRITE_METHODS
from ops.quotas import default_firehose_quota
from ops.samconfig import SAMCONFIG_PATH, Deployment, read_deployment

# A Region that is not one of those with a higher quota: without a Region, a deployment may go there.
SMALLEST_QUOTA_REGION = "eu-central-1"


def list_excesses(template: dict[str, Any], path: Path = SAMCONFIG_PATH) -> Iterator[str]:
    """A sentence for each environment that admits more writes than its stream takes requests.

    An environment whose quota AWS has raised says so in a table `[<environment>.firehose.parameters]`, with
    `requests_per_second`.
    """
    default = template["Parameters"]["ThrottleRate"]["Default"]
    for environment, settings in tomllib.loads(path.read_text()).items():
        if not isinstance(settings, dict):
            continue
        arguments = argparse.Namespace(config_env=environment, stack_name=None, region=None, parameters=[])
        deployment = read_deployment(arguments, path)
        admitted = float(deployment.parameters.get("ThrottleRate", default)) * len(WRITE_METHODS)
        quota = _read_quota(settings, deployment)
        if admitted > quota:
            yield (
                f"{path.name}: {environment} admits {admitted:,.0f} writes a second (ThrottleRate for each of "
                f"{', '.join(WRITE_METHODS)}), but its stream takes {quota:,} requests: set ThrottleRate to "
                f"{quota // len(WRITE_METHODS)} at most."
            )


def _read_quota(settings: dict[str, Any], deployment: Deployment) -> int:
    raised = settings.get("firehose", {}).get("parameters", {}).get("requests_per_second")
    return int(raised) if raised else default_firehose_quota(deployment.region or SMALLEST_QUOTA_REGION).requests
