"""Names and passwords, from Secrets Manager."""

from functools import cache

import msgspec

from sluice.aws.client import client
from sluice.aws.service import Client, Service

SECRETS = Service("secretsmanager", "SECRETS_MANAGER", "secretsmanager", connect_seconds=2, read_seconds=5, tries=3)


class Credentials(msgspec.Struct, frozen=True):
    """What a secret holds."""

    username: str
    password: str

    def __repr__(self) -> str:
        return f"Credentials({self.username!r})"


@cache
def secrets_manager() -> Client:
    """What AWS's Secrets Manager is asked with."""
    return client(SECRETS)


def credentials(secret_arn: str) -> Credentials:
    """Read a secret. Raises AwsError."""
    text = secrets_manager().call("GetSecretValue", {"SecretId": secret_arn})["SecretString"]
    return msgspec.json.decode(text, type=Credentials)
