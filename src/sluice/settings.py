"""The environment of a function, read once into one typed object."""

import os
from typing import Literal, TypeVar

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


class ReadSettings(DatabaseSettings, frozen=True, rename="upper"):
    """The replica; how long a write may be on its way to it, and a client may wait for one; and how long a cache may
    give what is shared while nothing answers it."""

    buffer_seconds: int
    wait_seconds: int
    stale_seconds: int


class CacheSettings(msgspec.Struct, frozen=True, rename="upper"):
    """The read cache, the secret (its JSON has `username` and `password`) to enter it with, and how long it keeps."""

    cache_host: str
    cache_port: int
    cache_secret_arn: str
    cache_seconds: int


class MigrateSettings(DatabaseSettings, frozen=True, rename="upper"):
    """The primary as the admin sees it, and the secrets of the users that it makes."""

    loader_secret_arn: str
    reader_secret_arn: str


class RotateSettings(MigrateSettings, frozen=True, rename="upper"):
    """The same, and the replica that the reader must get into."""

    replica_host: str
    replica_port: int


class PlanSettings(DatabaseSettings, frozen=True, rename="upper"):
    """The primary with its ledger, the two buckets, and how many loads may run at a time."""

    batch_bucket: str
    archive_bucket: str
    load_concurrency: int


class LeaseSettings(msgspec.Struct, frozen=True, rename="upper"):
    """The two buckets."""

    batch_bucket: str
    archive_bucket: str


class ReportSettings(msgspec.Struct, frozen=True, rename="upper"):
    """The bucket that the workflows keep their own objects in."""

    batch_bucket: str


class RejectedWritesSettings(DatabaseSettings, frozen=True, rename="upper"):
    """The primary with the rejects, and the bucket that what is tried again is put into."""

    batch_bucket: str


class RebuildSettings(DatabaseSettings, frozen=True, rename="upper"):
    """The primary as the admin sees it, and the bucket that keeps what was excluded."""

    batch_bucket: str


class HealthCheckSettings(DatabaseSettings, frozen=True, rename="upper"):
    """The primary, to be written to, and the replica, to be read from."""

    replica_host: str
    replica_port: int
    reader_secret_arn: str


class OpenApiSettings(msgspec.Struct, frozen=True, rename="upper"):
    """Where tokens are issued, and whether clients need keys, for the contract to say."""

    sign_in_url: str
    client_keys: Literal["required", "none"]


T = TypeVar("T", bound=msgspec.Struct)


def has_cache() -> bool:
    """Whether the function has a read cache, and so the settings of one."""
    return bool(os.environ.get("CACHE_HOST"))


def read_settings(settings_class: type[T]) -> T:
    """Read the settings of a kind. Raises RuntimeError naming every environment variable that is missing or wrong."""
    names = [field.encode_name for field in msgspec.structs.fields(settings_class)]
    missing = [name for name in names if not os.environ.get(name)]
    if missing:
        raise RuntimeError(f"environment variables are missing: {', '.join(missing)}")
    try:
        return msgspec.convert({name: os.environ[name] for name in names}, settings_class, strict=False)
    except msgspec.ValidationError as error:
        raise RuntimeError(f"an environment variable is wrong: {error}") from None
