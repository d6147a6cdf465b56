"""A deployed stack: its outputs, its functions, and clients of the services that it is made of."""

import json
from functools import cached_property
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError

from ops.outcome import Failure, Mistake
from ops.target import Target

# Errors that its functions raise about what they were asked for.
ASKED_WRONG = frozenset({
    "InvalidInput", "InvalidWindow", "FutureTime", "UnknownCollection", "NothingToBuildFrom", "AlreadyRebuilding",
})  # fmt: skip

# The longest function may take three minutes.
_CONFIG = Config(connect_timeout=5, read_timeout=200, retries={"mode": "standard", "total_max_attempts": 5})


class FunctionFailed(Failure):
    """A function of the stack raised: `error` is the class, the message a sentence."""

    def __init__(self, function: str, error: str, said: str) -> None:
        super().__init__(f"{function} failed with {error}: {said}")
        self.error = error
        self.said = said


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
                    service, endpoint_url=self._target.endpoint, config=_CONFIG
                )
            except ValueError as error:
                raise Mistake(f"{str(error).rstrip('.')}; see --region and $AWS_ENDPOINT_URL.") from None
        return self._clients[service]

    @cached_property
    def outputs(self) -> dict[str, str]:
        """Raises Mistake when there is no such stack."""
        try:
            found = self.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"][0]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationError":
                raise Mistake(
                    f"There is no stack {self.name} in {self.region}; see --stack-name and --region."
                ) from None
            raise
        return {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])}

    def output(self, key: str) -> str:
        """An output. Raises Mistake when the stack has none of that name."""
        if key not in self.outputs:
            raise Mistake(
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
        if error in ASKED_WRONG:
            raise Mistake(said)
        raise FunctionFailed(f"{function}Function", error, said)
