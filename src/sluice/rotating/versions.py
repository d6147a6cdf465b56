"""The versions of one secret: the current one, and the pending one that a rotation makes."""

from typing import Any

import botocore.exceptions
import msgspec

from sluice.database import Credentials, secrets_manager
from sluice.rotating.failures import CannotRotate

CURRENT, PENDING = "AWSCURRENT", "AWSPENDING"


class Versions:
    """A secret whose JSON holds `username`, `password` and perhaps more. Methods raise botocore's errors."""

    def __init__(self, secret_arn: str) -> None:
        self._arn = secret_arn

    def stages(self, version: str) -> frozenset[str]:
        """The stages that a version stands in; none for one that is not there."""
        return frozenset(self._all().get(version, ()))

    def current(self) -> dict[str, Any]:
        """What is in force."""
        return self._decoded(secrets_manager().get_secret_value(SecretId=self._arn, VersionStage=CURRENT))

    def pending(self, version: str) -> dict[str, Any] | None:
        """What a rotation has put, or None while it has put nothing."""
        try:
            found = secrets_manager().get_secret_value(SecretId=self._arn, VersionId=version, VersionStage=PENDING)
        except botocore.exceptions.ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return None
            raise
        return self._decoded(found)

    def put(self, version: str, value: dict[str, Any]) -> None:
        """Keep what the rotation makes as its pending version."""
        secrets_manager().put_secret_value(
            SecretId=self._arn,
            ClientRequestToken=version,
            SecretString=msgspec.json.encode(value).decode(),
            VersionStages=[PENDING],
        )

    def promote(self, version: str) -> None:
        """Make a version the current one."""
        [before] = [one for one, stages in self._all().items() if CURRENT in stages]
        secrets_manager().update_secret_version_stage(
            SecretId=self._arn, VersionStage=CURRENT, MoveToVersionId=version, RemoveFromVersionId=before
        )

    def _all(self) -> dict[str, list[str]]:
        return dict(secrets_manager().describe_secret(SecretId=self._arn)["VersionIdsToStages"])

    def _decoded(self, answer: dict[str, Any]) -> dict[str, Any]:
        try:
            value = msgspec.json.decode(answer["SecretString"], type=dict[str, Any])
            msgspec.convert(value, Credentials)
        except (KeyError, msgspec.MsgspecError):
            raise CannotRotate("The secret is no JSON object with username and password.") from None
        return value


def credentials(value: dict[str, Any]) -> Credentials:
    return Credentials(value["username"], value["password"])
