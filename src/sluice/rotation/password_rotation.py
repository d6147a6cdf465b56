"""Rotate a database password in the four steps of Secrets Manager. Each step may be repeated, also after a failure.

During a rotation an account accepts two passwords: the current one and the pending one. So no login fails in between,
and a client that read the secret before the rotation can still log in until the next rotation replaces its password.
"""

import secrets
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from sluice.aws.client import AwsClient
from sluice.aws.secrets import Credentials
from sluice.errors import AwsError, RotationFailed
from sluice.rotation.server_accounts import allow_both_passwords, wait_for_login
from sluice.settings import DatabaseSettings

CURRENT_STAGE, PENDING_STAGE = "AWSCURRENT", "AWSPENDING"

_CHARACTERS = string.ascii_letters + string.digits
_LENGTH = 32
# How long the replication of the new password may take.
REPLICA_WAIT_SECONDS = 40.0


class SecretVersions:
    """The versions of one secret. Its JSON has `username`, `password` and perhaps more. Methods raise AwsError."""

    def __init__(self, client: AwsClient, secret_arn: str) -> None:
        self._client = client
        self._arn = secret_arn

    def read_stages(self, version: str) -> frozenset[str]:
        """The stages of a version; none for a version that does not exist."""
        return frozenset(self._read_all_stages().get(version, ()))

    def read_current(self) -> dict[str, Any]:
        """The value of the current version."""
        return self._decode(self._call("GetSecretValue", VersionStage=CURRENT_STAGE))

    def read_pending(self, version: str) -> dict[str, Any] | None:
        """The value of a pending version, or None while the rotation has stored none."""
        try:
            response = self._call("GetSecretValue", VersionId=version, VersionStage=PENDING_STAGE)
        except AwsError as error:
            if error.code == "ResourceNotFoundException":
                return None
            raise
        return self._decode(response)

    def put(self, version: str, value: dict[str, Any]) -> None:
        """Store the value of a pending version."""
        self._call(
            "PutSecretValue",
            ClientRequestToken=version,
            SecretString=msgspec.json.encode(value).decode(),
            VersionStages=[PENDING_STAGE],
        )

    def promote(self, version: str) -> None:
        """Make a version the current one."""
        [previous] = [name for name, stages in self._read_all_stages().items() if CURRENT_STAGE in stages]
        self._call(
            "UpdateSecretVersionStage",
            VersionStage=CURRENT_STAGE,
            MoveToVersionId=version,
            RemoveFromVersionId=previous,
        )

    def _read_all_stages(self) -> dict[str, list[str]]:
        return dict(self._call("DescribeSecret")["VersionIdsToStages"])

    def _call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        return self._client.call(operation, {"SecretId": self._arn, **parameters})

    def _decode(self, response: dict[str, Any]) -> dict[str, Any]:
        try:
            value = msgspec.json.decode(response["SecretString"], type=dict[str, Any])
            msgspec.convert(value, Credentials)
        except (KeyError, msgspec.MsgspecError):
            raise RotationFailed("The secret is not a JSON object with username and password.") from None
        return value


def parse_credentials(value: dict[str, Any]) -> Credentials:
    return Credentials(value["username"], value["password"])


@dataclass(frozen=True)
class PasswordRotation:
    """One rotation of one secret. `version` is its pending version.

    `read_admin` returns the credentials of a user that may change users on the `primary`. Each of the `login_targets`
    must accept the new password. Every step raises RotationFailed, the database errors of `sluice.errors`, or AwsError.
    """

    versions: SecretVersions
    version: str
    primary: DatabaseSettings
    read_admin: Callable[[], Credentials]
    login_targets: Sequence[DatabaseSettings]
    wait_seconds: float = REPLICA_WAIT_SECONDS

    def run_step(self, name: str) -> None:
        """Run the step that Secrets Manager names."""
        steps = {
            "createSecret": self._create_password,
            "setSecret": self._set_password,
            "testSecret": self._test_password,
            "finishSecret": self._finish,
        }
        if name not in steps:
            raise RotationFailed("Secrets Manager requested an unknown step.")
        stages = self.versions.read_stages(self.version)
        if CURRENT_STAGE in stages:
            return  # the rotation is finished already
        if PENDING_STAGE not in stages:
            raise RotationFailed("The version is not pending: no rotation of it is in progress.")
        steps[name]()

    def _create_password(self) -> None:
        if self.versions.read_pending(self.version) is None:
            password = "".join(secrets.choice(_CHARACTERS) for _ in range(_LENGTH))
            self.versions.put(self.version, {**self.versions.read_current(), "password": password})

    def _set_password(self) -> None:
        current = parse_credentials(self.versions.read_current())
        allow_both_passwords(self.primary, self.read_admin(), current, self._read_pending())

    def _test_password(self) -> None:
        # Before the first scheduled rotation, Secrets Manager runs this step alone and does not say for which version.
        value = self.versions.read_pending(self.version) or self.versions.read_current()
        self._check_login(parse_credentials(value), self.wait_seconds)

    def _finish(self) -> None:
        # Test again: a change of the instance may have set another password meanwhile.
        self._check_login(self._read_pending(), 0)
        self.versions.promote(self.version)

    def _check_login(self, credentials: Credentials, wait_seconds: float) -> None:
        for target in self.login_targets:
            wait_for_login(target, credentials, wait_seconds)

    def _read_pending(self) -> Credentials:
        value = self.versions.read_pending(self.version)
        if value is None:
            raise RotationFailed("The pending version has no password: createSecret must run first.")
        return parse_credentials(value)
