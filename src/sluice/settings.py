"""The environment of a function, read once into one typed object."""

import os
from typing import Literal, NamedTuple, TypeVar

import msgspec


class Endpoint(NamedTuple):
    """Where a database server listens."""

    host: str
    port: int


class StreamSettings(msgspec.Struct, frozen=True, rename="upper"):
    """The stream of a write function, and how long Firehose may buffer a write. It reaches nothing else."""

    stream_name: str
    buffer_seconds: int


class DatabaseSettings(msgspec.Struct, frozen=True, rename="upper"):
    """A database instance, and the secret (JSON with `username` and `password`) of its user."""

    database_host: str
    database_port: int
    database_name: str
    database_secret_arn: str


class ReadSettings(msgspec.Struct, frozen=True, rename="upper"):
    """The replicas (or the primary, where there is none) as `host:port,host:port`, and three times: how long Firehose
    may buffer a write, how long a client may wait for its own write, and how long a cache may serve a shared item
    while the API is unavailable."""

    read_endpoints: str
    database_name: str
    database_secret_arn: str
    buffer_seconds: int
    wait_seconds: int
    stale_seconds: int

    def place_databases(self) -> tuple[DatabaseSettings, ...]:
        """Where reads go, in the order of the endpoints. Raises RuntimeError."""
        return place_databases(self.read_endpoints, self.database_name, self.database_secret_arn)


class CacheSettings(msgspec.Struct, frozen=True, rename="upper"):
    """The read cache, the secret (JSON with `username` and `password`) of its user, and how long an entry lives."""

    cache_host: str
    cache_port: int
    cache_secret_arn: str
    cache_seconds: int


class MigrateSettings(DatabaseSettings, frozen=True, rename="upper"):
    """The primary, with the secret of the admin, and the secrets of the users that a migration creates."""

    loader_secret_arn: str
    reader_secret_arn: str


class RotateSettings(MigrateSettings, frozen=True, rename="upper"):
    """The settings of a migration, and the replicas (`host:port,host:port`, or `none`) on which the reader logs in."""

    replica_endpoints: str


class PlanSettings(DatabaseSettings, frozen=True, rename="upper"):
    """The primary with its ledger, the two buckets, and the limit of concurrent loads."""

    batch_bucket: str
    archive_bucket: str
    load_concurrency: int


class LeaseSettings(msgspec.Struct, frozen=True, rename="upper"):
    """The batch bucket and the archive bucket."""

    batch_bucket: str
    archive_bucket: str


class ReportSettings(msgspec.Struct, frozen=True, rename="upper"):
    """The bucket that contains the objects of the workflows."""

    batch_bucket: str


class RejectedWritesSettings(DatabaseSettings, frozen=True, rename="upper"):
    """The primary with the rejected writes, and the bucket that takes the batch of a retry."""

    batch_bucket: str


class RebuildSettings(DatabaseSettings, frozen=True, rename="upper"):
    """The primary, with the secret of the admin, and the bucket that contains the exclusions."""

    batch_bucket: str


class HealthCheckSettings(DatabaseSettings, frozen=True, rename="upper"):
    """The primary, which must take a write, the replicas (`host:port,host:port`, or `none`), which must answer a read,
    and the bucket for the heartbeat's result."""

    replica_endpoints: str
    reader_secret_arn: str
    batch_bucket: str


class ProofInstanceSettings(msgspec.Struct, frozen=True, rename="upper"):
    """The identifier of the primary's RDS instance, the secret of its admin, and the bucket for the reports."""

    primary_instance: str
    admin_secret_arn: str
    batch_bucket: str


class RestoreSettings(msgspec.Struct, frozen=True, rename="upper"):
    """The identifier of the primary's RDS instance, the secret of its admin, and the bucket for the report."""

    primary_instance: str
    admin_secret_arn: str
    batch_bucket: str


class ProveBackupSettings(msgspec.Struct, frozen=True, rename="upper"):
    """The replicas, as the reading function has them, the secrets of the reader and of the admin, and the bucket of the
    batches."""

    read_endpoints: str
    database_name: str
    reader_secret_arn: str
    admin_secret_arn: str
    batch_bucket: str

    def place_live_databases(self) -> tuple[DatabaseSettings, ...]:
        """Where the live tables can be read, in the order of the endpoints. Raises RuntimeError."""
        return place_databases(self.read_endpoints, self.database_name, self.reader_secret_arn)


class StatusSettings(msgspec.Struct, frozen=True, rename="upper"):
    """The stream that the status probes, and the bucket with the heartbeat's result."""

    stream_name: str
    batch_bucket: str


class OpenApiSettings(msgspec.Struct, frozen=True, rename="upper"):
    """What the OpenAPI document says about access: where tokens are issued, whether clients need API keys."""

    sign_in_url: str
    client_keys: Literal["required", "none"]


class CanarySettings(msgspec.Struct, frozen=True, rename="upper"):
    """The public address, the token endpoint, the secret (JSON) of the canary's app client, and three times whose sum
    is the objective: how long Firehose may buffer a write after the transform and before it, and how much later the
    write should be readable."""

    service_url: str
    token_url: str
    client_secret_arn: str
    buffer_seconds: int
    transform_buffer_seconds: int
    readable_seconds: int


class ClientKeySettings(msgspec.Struct, frozen=True, rename="upper"):
    """The secret (plain text) with the canary's API key."""

    client_key_secret_arn: str


T = TypeVar("T", bound=msgspec.Struct)

# What the list of endpoints says when there is none: an empty variable would look like a forgotten one.
NO_ENDPOINTS = "none"


def parse_endpoints(text: str) -> tuple[Endpoint, ...]:
    """Parse `host:port,host:port`, or `none`. Raises RuntimeError for anything else."""
    if text == NO_ENDPOINTS:
        return ()
    endpoints = []
    for part in text.split(","):
        host, _, port = part.rpartition(":")
        if not (host and port.isascii() and port.isdigit()):
            raise RuntimeError(f"an environment variable is invalid: {part!r} is not host:port")
        endpoints.append(Endpoint(host, int(port)))
    return tuple(endpoints)


def place_databases(endpoints: str, database_name: str, secret_arn: str) -> tuple[DatabaseSettings, ...]:
    """The same database, and the same user, at each of the endpoints. Raises RuntimeError for invalid endpoints."""
    return tuple(
        DatabaseSettings(endpoint.host, endpoint.port, database_name, secret_arn)
        for endpoint in parse_endpoints(endpoints)
    )


def has_client_key() -> bool:
    """Whether the canary has an API key, as it does where the stack has a usage plan."""
    return bool(os.environ.get("CLIENT_KEY_SECRET_ARN"))


def read_replica_instances() -> tuple[str, ...]:
    """The identifiers of the replicas' RDS instances, in the order of the endpoints; without replicas, none."""
    return tuple(name for name in os.environ.get("REPLICA_INSTANCES", "").split(",") if name)


def has_cache() -> bool:
    """Whether the function has a read cache and its settings."""
    return bool(os.environ.get("CACHE_HOST"))


def read_settings(settings_class: type[T]) -> T:
    """Read the environment. Raises RuntimeError with the name of every variable that is missing or invalid."""
    names = [field.encode_name for field in msgspec.structs.fields(settings_class)]
    missing = [name for name in names if not os.environ.get(name)]
    if missing:
        raise RuntimeError(f"environment variables are missing: {', '.join(missing)}")
    try:
        return msgspec.convert({name: os.environ[name] for name in names}, settings_class, strict=False)
    except msgspec.ValidationError as error:
        raise RuntimeError(f"an environment variable is invalid: {error}") from None
