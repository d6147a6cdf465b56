"""A deployed stack: choose it, read its outputs, invoke its functions."""

import http.client
import json
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from ops.errors import FunctionError, UsageError

REPOSITORY = Path(__file__).resolve().parents[1]
# The name of the local stack in samconfig.toml, and the region it is deployed to.
LOCAL_STACK = "sluice-local"
LOCAL_REGION = "us-east-1"

# Errors of the stack's functions that reject the request itself: the operator can correct them.
REQUEST_ERRORS = frozenset({
    "InvalidInput", "InvalidWindow", "FutureTime", "UnknownCollection", "NoRebuildSource", "RebuildInProgress",
    "RestoreInProgress", "RestoreRefused",
    "ProofInProgress",
})  # fmt: skip

# The slowest function may run for three minutes.
CLIENT_CONFIG = Config(connect_timeout=5, read_timeout=200, retries={"mode": "standard", "total_max_attempts": 5})


@dataclass(frozen=True)
class LocalAddresses:
    """Where a local stack listens. Its outputs have the addresses that AWS would give it."""

    aws: str
    service: str
    api: str


@dataclass(frozen=True)
class Target:
    """The name of a stack, and a session that reaches it. `local` is set for the local stack only."""

    name: str
    session: Any
    local: LocalAddresses | None = None

    @property
    def region(self) -> str:
        return str(self.session.region_name)


def choose_target(stack_name: str | None, region: str | None, profile: str | None) -> Target:
    """Choose the stack that the arguments name, or the local one. Raises UsageError, and botocore's profile errors."""
    if stack_name == "":
        # CloudFormation would read an empty name as "any stack".
        raise UsageError("--stack-name is empty.", "Give the name of a stack.")
    is_remote = region or profile
    if not is_remote and stack_name in {None, LOCAL_STACK} and (local := find_local_addresses()):
        session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=LOCAL_REGION)  # noqa: S106
        return Target(LOCAL_STACK, session, local)
    if stack_name is None:
        raise UsageError("No stack is named.", "Give --stack-name NAME, or start the local stack with `make up`.")
    session = boto3.Session(profile_name=profile, region_name=region)
    if not session.region_name:
        raise UsageError("The AWS region is unknown.", "Give --region, or a --profile that has one.")
    return Target(stack_name, session)


def find_local_addresses() -> LocalAddresses | None:
    """The addresses of the local stack of this checkout, or of the one in $SLUICE_LOCAL; None when it does not run."""
    folder = Path(os.environ.get("SLUICE_LOCAL") or REPOSITORY / ".local")
    try:
        state = json.loads((folder / "state.json").read_text())
        port = int(state["emulator_port"])
        edge = (int(state.get("edge_port", 0)), int(state.get("edge_stage_port", 0)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    if not port or not _is_healthy(port):
        return None
    return LocalAddresses(*(f"http://127.0.0.1:{number}" for number in (port, *edge)))


def _is_healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/_ministack/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


class Stack:
    """The stack of a target. It reads the outputs when they are first needed."""

    def __init__(self, target: Target) -> None:
        self.name = target.name
        self.region = target.region
        self._target = target
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    @property
    def is_local(self) -> bool:
        return self._target.local is not None

    @property
    def service_url(self) -> str:
        """The URL of the service, without a final slash; clients append /v1/{collection}."""
        return self._target.local.service if self._target.local else self.output("Url").rstrip("/")

    @property
    def api_url(self) -> str:
        """The URL of the API itself, behind CloudFront, with its stage."""
        if self._target.local:
            return f"{self._target.local.api}/{self.output('StageName')}"
        return self.output("ApiUrl").rstrip("/")

    @property
    def token_url(self) -> str:
        """The token endpoint for machines."""
        return f"{self._target.local.aws}/oauth2/token" if self._target.local else self.output("TokenUrl")

    def client(self, service: str) -> Any:
        """A boto3 client of a service, by its name in boto3. Raises UsageError for an invalid region or endpoint."""
        endpoint = self._target.local.aws if self._target.local else None
        # A client may be shared by threads; a session may not.
        with self._lock:
            if service not in self._clients:
                try:
                    self._clients[service] = self._target.session.client(
                        service, endpoint_url=endpoint, config=CLIENT_CONFIG
                    )
                except ValueError as error:
                    raise UsageError(f"{str(error).rstrip('.')}.", "Check --region and $AWS_ENDPOINT_URL.") from None
            return self._clients[service]

    def observe_calls(self, observer: Callable[..., None]) -> None:
        """Call `observer` with `params` and `model` of each call of AWS, by clients that are created from now on."""
        self._target.session.events.register("provide-client-params.*.*", observer)

    @cached_property
    def _description(self) -> dict[str, Any]:
        """CloudFormation's description of the stack. Raises UsageError when there is no such stack."""
        try:
            return dict(self.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"][0])
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationError":
                raise UsageError(
                    f"There is no stack {self.name} in {self.region}.", "Check --stack-name and --region."
                ) from None
            raise

    @cached_property
    def outputs(self) -> dict[str, str]:
        """The outputs by name. Raises UsageError when there is no such stack."""
        return {output["OutputKey"]: output["OutputValue"] for output in self._description.get("Outputs", [])}

    @cached_property
    def parameters(self) -> dict[str, str]:
        """The values of the template's parameters, defaults included. Raises UsageError when there is no such stack."""
        parameters = self._description.get("Parameters", [])
        return {parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in parameters}

    def list_resources(self, *types: str) -> dict[str, str]:
        """The physical ids of the stack's resources of some types, by logical id."""
        pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=self.name)
        return {
            resource["LogicalResourceId"]: resource["PhysicalResourceId"]
            for page in pages
            for resource in page["StackResourceSummaries"]
            if resource["ResourceType"] in types
        }

    def output(self, key: str) -> str:
        """The value of an output. Raises UsageError when the stack has no such output."""
        if key not in self.outputs:
            raise UsageError(
                f"The stack {self.name} has no output {key}: it is not a Sluice stack, or an older version.",
                "Deploy the current version.",
            )
        return self.outputs[key]

    def invoke(self, function: str, event: Any) -> Any:
        """Invoke a function by its short name, and return its response.

        Raises UsageError when the function rejects the request, FunctionError when it fails otherwise.
        """
        invocation = self.client("lambda").invoke(
            FunctionName=self.output(f"{function}FunctionName"), Payload=json.dumps(event)
        )
        response = json.loads(invocation["Payload"].read() or b"null")
        if not invocation.get("FunctionError"):
            return response
        error = str(response.get("errorType", "Unknown"))
        reason = str(response.get("errorMessage", "the function gives no reason"))
        if error in REQUEST_ERRORS:
            raise UsageError(reason)
        raise FunctionError(f"{function}Function", error, reason)
