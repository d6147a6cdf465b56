"""The versions of one secret: the current one, and the pending one that a rotation makes.

The four steps in which Secrets Manager has a password rotated. Each may be called again, after whatever end.

An account lets in by two passwords: the one in force and the one that comes. So nobody is turned away in between, and
whoever read the secret a moment ago still gets in until the next rotation takes that password's place.
"""

import secrets
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from sluice.aws.secrets import Credentials, get_secrets_client
from sluice.errors import AwsError, RotationFailed
from sluice.rotation.server_accounts import allow_both_passwords, wait_for_login
from sluice.settings import DatabaseSettings

CURRENT_STAGE, PENDING_STAGE = "AWSCURRENT", "AWSPENDING"


class SecretVersions:
    """A secret whose JSON holds `username`, `password` and perhaps more. Methods raise AwsError."""

    def __init__(self, secret_arn: str) -> None:
        self._arn = secret_arn

    def read_stages(self, version: str) -> frozenset[str]:
        """The stages that a version stands in; none for one that is not there."""
        return frozenset(self._read_all_stages().get(version, ()))

    def read_current(self) -> dict[str, Any]:
        """What is in force."""
        return self._decode(self._call("GetSecretValue", VersionStage=CURRENT_STAGE))

    def read_pending(self, version: str) -> dict[str, Any] | None:
        """What a rotation has put, or None while it has put nothing."""
        try:
            found = self._call("GetSecretValue", VersionId=version, VersionStage=PENDING_STAGE)
        except AwsError as error:
            if error.code == "ResourceNotFoundException":
                return None
            raise
        return self._decode(found)

    def put(self, version: str, value: dict[str, Any]) -> None:
        """Keep what the rotation makes as its pending version."""
        self._call(
            "PutSecretValue",
            ClientRequestToken=version,
            SecretString=msgspec.json.encode(value).decode(),
            VersionStages=[PENDING_STAGE],
        )

    def promote(self, version: str) -> None:
        """Make a version the current one."""
        [before] = [one for one, stages in self._read_all_stages().items() if CURRENT_STAGE in stages]
        self._call(
            "UpdateSecretVersionStage", VersionStage=CURRENT_STAGE, MoveToVersionId=version, RemoveFromVersionId=before
        )

    def _read_all_stages(self) -> dict[str, list[str]]:
        return dict(self._call("DescribeSecret")["VersionIdsToStages"])

    def _call(self, operation: str, **more: Any) -> dict[str, Any]:
        return get_secrets_client().call(operation, {"SecretId": self._arn, **more})

    def _decode(self, answer: dict[str, Any]) -> dict[str, Any]:
        try:
            value = msgspec.json.decode(answer["SecretString"], type=dict[str, Any])
            msgspec.convert(value, Credentials)
        except (KeyError, msgspec.MsgspecError):
            raise RotationFailed("The secret is no JSON object with username and password.") from None
        return value


def parse_credentials(value: dict[str, Any]) -> Credentials:
    return Credentials(value["username"], value["password"])


_CHARACTERS = string.ascii_letters + string.digits


_LENGTH = 32


# How long the new password may take to arrive at the replica.
REPLICA_WAIT_SECONDS = 40.0


@dataclass(frozen=True)
class PasswordRotation:
    """One rotation of one secret, whose pending version is `version`.

    `admin` is asked for who may change users on the `primary`; the new password must let in at each place of
    `entered`. Every step raises RotationFailed, the faults of `sluice.db.errors` or AwsError.
    """

    versions: SecretVersions
    version: str
    primary: DatabaseSettings
    admin: Callable[[], Credentials]
    login_targets: Sequence[DatabaseSettings]
    wait_seconds: float = REPLICA_WAIT_SECONDS

    def run_step(self, name: str) -> None:
        """Take the step that Secrets Manager names."""
        steps = {
            "createSecret": self._create,
            "setSecret": self._set,
            "testSecret": self._test,
            "finishSecret": self._finish,
        }
        if name not in steps:
            raise RotationFailed("Secrets Manager asks for a step that is none of the four.")
        stages = self.versions.read_stages(self.version)
        if CURRENT_STAGE in stages:
            return  # it was all done before
        if PENDING_STAGE not in stages:
            raise RotationFailed("The version is not pending: no rotation is under way for it.")
        steps[name]()

    def _create(self) -> None:
        if self.versions.read_pending(self.version) is None:
            password = "".join(secrets.choice(_CHARACTERS) for _ in range(_LENGTH))
            self.versions.put(self.version, {**self.versions.read_current(), "password": password})

    def _set(self) -> None:
        allow_both_passwords(
            self.primary, self.admin(), parse_credentials(self.versions.read_current()), self._pending()
        )

    def _test(self) -> None:
        # Before a schedule's first rotation Secrets Manager tries this step alone, and leaves open with which value.
        found = self.versions.read_pending(self.version) or self.versions.read_current()
        self._check_login(parse_credentials(found), self.wait_seconds)

    def _finish(self) -> None:
        # Seen once more: whoever set the account's password meanwhile, as a change of the instance does, took this out.
        self._check_login(self._pending(), 0)
        self.versions.promote(self.version)

    def _check_login(self, who: Credentials, patience: float) -> None:
        for place in self.login_targets:
            wait_for_login(place, who, patience)

    def _pending(self) -> Credentials:
        found = self.versions.read_pending(self.version)
        if found is None:
            raise RotationFailed("The pending version holds no password: createSecret comes first.")
        return parse_credentials(found)
