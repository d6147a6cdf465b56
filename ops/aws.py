"""A deployed stack: choose it, read its outputs, invoke its functions."""

import http.client
import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from ops.errors import FunctionError, UsageError

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


def choose_target(stack_name: str | None, region: str | None, profile: str | None) -> Target:
    """The target that the arguments name. Raises Mistake, and botocore's errors about profiles."""
    if stack_name == "":
        # AWS would take it for any stack there is.
        raise UsageError("--stack-name is empty: give a stack's name.")
    remote = region or profile
    if not remote and stack_name in {None, LOCAL_STACK} and (endpoint := find_local_endpoint()):
        session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=LOCAL_REGION)  # noqa: S106
        return Target(LOCAL_STACK, session, endpoint)
    if stack_name is None:
        raise UsageError("No stack is named: give --stack-name NAME (or start the local one with `make up`).")
    session = boto3.Session(profile_name=profile, region_name=region)
    if not session.region_name:
        raise UsageError("No region is known: give --region, or a --profile that has one.")
    return Target(stack_name, session)


def find_local_endpoint() -> str | None:
    """Where the local stack of this checkout, or the one in $SLUICE_LOCAL, answers; None when it does not."""
    folder = Path(os.environ.get("SLUICE_LOCAL") or REPOSITORY / ".local")
    try:
        port = int(json.loads((folder / "state.json").read_text())["emulator_port"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return f"http://127.0.0.1:{port}" if port and _is_healthy(port) else None


def _is_healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/_ministack/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


# Errors that its functions raise about what they were asked for.
REQUEST_ERRORS = frozenset({
    "InvalidInput", "InvalidWindow", "FutureTime", "UnknownCollection", "NoRebuildSource", "RebuildInProgress",
})  # fmt: skip


# The longest function may take three minutes.
CLIENT_CONFIG = Config(connect_timeout=5, read_timeout=200, retries={"mode": "standard", "total_max_attempts": 5})


class Stack:
    """The stack of a target. Its outputs are read when they are first needed."""

    def __init__(self, target: Target) -> None:
        self.name = target.name
        self.region = target.region
        self._target = target
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """A boto3 client, by boto3's name for the service. Raises Mistake for a region or an endpoint that is none."""
        if service not in self._clients:
            try:
                self._clients[service] = self._target.session.client(
                    service, endpoint_url=self._target.endpoint, config=CLIENT_CONFIG
                )
            except ValueError as error:
                raise UsageError(f"{str(error).rstrip('.')}; see --region and $AWS_ENDPOINT_URL.") from None
        return self._clients[service]

    @cached_property
    def outputs(self) -> dict[str, str]:
        """Raises Mistake when there is no such stack."""
        try:
            found = self.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"][0]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationError":
                raise UsageError(
                    f"There is no stack {self.name} in {self.region}; see --stack-name and --region."
                ) from None
            raise
        return {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])}

    def output(self, key: str) -> str:
        """An output. Raises Mistake when the stack has none of that name."""
        if key not in self.outputs:
            raise UsageError(
                f"The stack {self.name} has no output {key}: it is no Sluice, or an older one; deploy it anew."
            )
        return self.outputs[key]

    def invoke(self, function: str, event: Any) -> Any:
        """What a function, by its short name, answers. Raises Mistake for a wrong request, FunctionFailed otherwise."""
        answer = self.client("lambda").invoke(
            FunctionName=self.output(f"{function}FunctionName"), Payload=json.dumps(event)
        )
        found = json.loads(answer["Payload"].read() or b"null")
        if not answer.get("FunctionError"):
            return found
        error, said = str(found.get("errorType", "Unknown")), str(found.get("errorMessage", "it says nothing"))
        if error in REQUEST_ERRORS:
            raise UsageError(said)
        raise FunctionError(f"{function}Function", error, said)
