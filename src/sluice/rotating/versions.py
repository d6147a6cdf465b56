"""The versions of one secret: the current one, and the pending one that a rotation makes."""

from typing import Any

import msgspec

from sluice.aws.faults import AwsError
from sluice.credentials import Credentials, secrets_manager
from sluice.rotating.failures import CannotRotate

CURRENT, PENDING = "AWSCURRENT", "AWSPENDING"


class Versions:
    """A secret whose JSON holds `username`, `password` and perhaps more. Methods raise AwsError."""

    def __init__(self, secret_arn: str) -> None:
        self._arn = secret_arn

    def stages(self, version: str) -> frozenset[str]:
        """The stages that a version stands in; none for one that is not there."""
        return frozenset(self._all().get(version, ()))

    def current(self) -> dict[str, Any]:
        """What is in force."""
        return self._decoded(self._asked("GetSecretValue", VersionStage=CURRENT))

    def pending(self, version: str) -> dict[str, Any] | None:
        """What a rotation has put, or None while it has put nothing."""
        try:
            found = self._asked("GetSecretValue", VersionId=version, VersionStage=PENDING)
        except AwsError as error:
            if error.code == "ResourceNotFoundException":
                return None
            raise
        return self._decoded(found)

    def put(self, version: str, value: dict[str, Any]) -> None:
        """Keep what the rotation makes as its pending version."""
        self._asked(
            "PutSecretValue",
            ClientRequestToken=version,
            SecretString=msgspec.json.encode(value).decode(),
            VersionStages=[PENDING],
        )

    def promote(self, version: str) -> None:
        """Make a version the current one."""
        [before] = [one for one, stages in self._all().items() if CURRENT in stages]
        self._asked(
            "UpdateSecretVersionStage", VersionStage=CURRENT, MoveToVersionId=version, RemoveFromVersionId=before
        )

    def _all(self) -> dict[str, list[str]]:
        return dict(self._asked("DescribeSecret")["VersionIdsToStages"])

    def _asked(self, operation: str, **more: Any) -> dict[str, Any]:
        return secrets_manager().call(operation, {"SecretId": self._arn, **more})

    def _decoded(self, answer: dict[str, Any]) -> dict[str, Any]:
        try:
            value = msgspec.json.decode(answer["SecretString"], type=dict[str, Any])
            msgspec.convert(value, Credentials)
        except (KeyError, msgspec.MsgspecError):
            raise CannotRotate("The secret is no JSON object with username and password.") from None
        return value


def credentials(value: dict[str, Any]) -> Credentials:
    return Credentials(value["username"], value["password"])
