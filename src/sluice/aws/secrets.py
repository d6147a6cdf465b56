"""Names and passwords, from Secrets Manager."""

from functools import cache

import msgspec

from sluice.aws.client import AwsClient, create_client
from sluice.aws.lambda_environment import Service

SECRETS_MANAGER_SERVICE = Service(
    "secretsmanager", "SECRETS_MANAGER", "secretsmanager", connect_seconds=2, read_seconds=5, max_attempts=3
)


class Credentials(msgspec.Struct, frozen=True):
    """What a secret holds."""

    username: str
    password: str

    def __repr__(self) -> str:
        return f"Credentials({self.username!r})"


@cache
def get_secrets_client() -> AwsClient:
    """What AWS's Secrets Manager is asked with."""
    return create_client(SECRETS_MANAGER_SERVICE)


def read_credentials(secret_arn: str) -> Credentials:
    """Read a secret. Raises AwsError."""
    text = get_secrets_client().call("GetSecretValue", {"SecretId": secret_arn})["SecretString"]
    return msgspec.json.decode(text, type=Credentials)
