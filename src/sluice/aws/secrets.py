"""The user names and passwords in Secrets Manager."""

from functools import cache

import msgspec

from sluice.aws.client import AwsClient, create_client
from sluice.aws.lambda_environment import Service

SECRETS_MANAGER_SERVICE = Service(
    "secretsmanager", "SECRETS_MANAGER", "secretsmanager", connect_seconds=2, read_seconds=5, max_attempts=3
)


class Credentials(msgspec.Struct, frozen=True):
    """The user of a database or cache. Its secret is JSON with these fields."""

    username: str
    password: str

    def __repr__(self) -> str:
        return f"Credentials({self.username!r})"


@cache
def get_secrets_client() -> AwsClient:
    """Return the client of the process, created at the first call: a warm function seldom reads a secret."""
    return create_client(SECRETS_MANAGER_SERVICE)


def read_credentials(secret_arn: str) -> Credentials:
    """Read a secret. Raises AwsError."""
    text = get_secrets_client().call("GetSecretValue", {"SecretId": secret_arn})["SecretString"]
    return msgspec.json.decode(text, type=Credentials)
