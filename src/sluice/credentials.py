"""Names and passwords, from Secrets Manager."""

from functools import cache
from typing import Any

import botocore.session
import msgspec
from botocore.config import Config


class Credentials(msgspec.Struct, frozen=True):
    """What a secret holds."""

    username: str
    password: str

    def __repr__(self) -> str:
        return f"Credentials({self.username!r})"


@cache
def _secrets() -> Any:
    config = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})
    return botocore.session.get_session().create_client("secretsmanager", config=config)


def credentials(secret_arn: str) -> Credentials:
    """Read a secret. Raises botocore's errors."""
    text = _secrets().get_secret_value(SecretId=secret_arn)["SecretString"]
    return msgspec.json.decode(text, type=Credentials)
