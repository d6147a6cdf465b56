"""Which stack is meant: the one that is named, or the local one when it runs."""

import http.client
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from ops.outcome import Mistake

REPOSITORY = Path(__file__).resolve().parents[1]
# What samconfig.toml calls it, and where and as whom it is deployed.
LOCAL_STACK = "sluice-local"
LOCAL_REGION = "us-east-1"


@dataclass(frozen=True)
class Target:
    """A stack's name, and a session that reaches it; `endpoint` is the local stack's."""

    name: str
    session: Any
    endpoint: str | None = None

    @property
    def region(self) -> str:
        return str(self.session.region_name)


def choose(name: str | None, region: str | None, profile: str | None) -> Target:
    """The target that the arguments name. Raises Mistake, and botocore's errors about profiles."""
    if name == "":
        # AWS would take it for any stack there is.
        raise Mistake("--stack-name is empty: give a stack's name.")
    remote = region or profile
    if not remote and name in {None, LOCAL_STACK} and (endpoint := local_endpoint()):
        session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=LOCAL_REGION)  # noqa: S106
        return Target(LOCAL_STACK, session, endpoint)
    if name is None:
        raise Mistake("No stack is named: give --stack-name NAME (or start the local one with `make up`).")
    session = boto3.Session(profile_name=profile, region_name=region)
    if not session.region_name:
        raise Mistake("No region is known: give --region, or a --profile that has one.")
    return Target(name, session)


def local_endpoint() -> str | None:
    """Where the local stack of this checkout, or the one in $SLUICE_LOCAL, answers; None when it does not."""
    folder = Path(os.environ.get("SLUICE_LOCAL") or REPOSITORY / ".local")
    try:
        port = int(json.loads((folder / "state.json").read_text())["emulator_port"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return f"http://127.0.0.1:{port}" if port and _healthy(port) else None


def _healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/_ministack/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
