"""The secrets in Secrets Manager: user names with passwords, and the canary's."""

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


def read_secret(secret_arn: str) -> str:
    """Read the text of a secret. Raises AwsError."""
    return str(get_secrets_client().call("GetSecretValue", {"SecretId": secret_arn})["SecretString"])


def read_credentials(secret_arn: str) -> Credentials:
    """Read a secret that is a user of a database or cache. Raises AwsError."""
    return msgspec.json.decode(read_secret(secret_arn), type=Credentials)
