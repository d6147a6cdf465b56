"""The environment of a function, read once into one typed object."""

import os
from typing import TypeVar

import msgspec


class StreamSettings(msgspec.Struct, frozen=True, rename="upper"):
    """What a write function is told: it knows a stream and nothing else."""

    stream_name: str
    buffer_seconds: int


class DatabaseSettings(msgspec.Struct, frozen=True, rename="upper"):
    """Where a database instance is, and the secret (its JSON has `username` and `password`) to enter it with."""

    database_host: str
    database_port: int
    database_name: str
    database_secret_arn: str


class MigrateSettings(DatabaseSettings, frozen=True, rename="upper"):
    """The primary as the admin sees it, and the secrets of the users that it makes."""

    loader_secret_arn: str
    reader_secret_arn: str


T = TypeVar("T", bound=msgspec.Struct)


def read(kind: type[T]) -> T:
    """Read the settings of a kind. Raises RuntimeError naming every environment variable that is missing or wrong."""
    names = [field.encode_name for field in msgspec.structs.fields(kind)]
    missing = [name for name in names if not os.environ.get(name)]
    if missing:
        raise RuntimeError(f"environment variables are missing: {', '.join(missing)}")
    try:
        return msgspec.convert({name: os.environ[name] for name in names}, kind, strict=False)
    except msgspec.ValidationError as error:
        raise RuntimeError(f"an environment variable is wrong: {error}") from None
