"""The template parameters of a local stack: those of samconfig.toml, and those that only this machine knows."""

import json
import platform
import sys
from pathlib import Path

from local.cache import CacheServer
from local.database import DatabaseServers
from local.process import LocalError
from local.stack.folder import REPOSITORY
from local.stack.services import EmulatorProcess
from ops.free_text import add_free_text
from ops.samconfig import read_parameters
from ops.template import read_template

_ADMIN_SECRET_NAME, _CACHE_SECRET_NAME = "sluice-local/database-admin", "sluice-local/cache-user"


def read_template_default(template: Path, parameter: str) -> str:
    """The default of a template parameter. Raises LocalError if the template has no such parameter."""
    parameters = read_template(template)["Parameters"]
    if parameter not in parameters:
        raise LocalError(f"{template.name} has no parameter {parameter}.")
    return str(parameters[parameter].get("Default", ""))


def detect_runtime() -> str:
    """The Lambda runtime of the Python version that runs this."""
    return f"python{sys.version_info.major}.{sys.version_info.minor}"


def detect_architecture() -> str:
    """Lambda's name for the processor of this machine."""
    return "arm64" if platform.machine() in {"aarch64", "arm64"} else "x86_64"


def format_overrides(parameters: dict[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in parameters.items()]


def choose_parameters(overrides: dict[str, str]) -> dict[str, str]:
    """The parameters of the environment `local` in samconfig.toml, with `overrides` before them.

    The classes say which collections have free text. Raises UsageError.
    """
    return add_free_text({**read_parameters("local"), **overrides}, REPOSITORY / "src" / "resources")


def has_read_cache(parameters: dict[str, str]) -> bool:
    """Whether the stack has a read cache."""
    return parameters.get("ReadCache") == "true"


def resolve_parameters(
    chosen: dict[str, str], emulator: EmulatorProcess, servers: DatabaseServers, cache: CacheServer
) -> dict[str, str]:
    """All parameters of the template. It also stores the credentials in the secrets that the parameters name."""
    return {
        **chosen,
        **(_resolve_cache_parameters(emulator, cache) if has_read_cache(chosen) else {}),
        "Runtime": detect_runtime(),
        "Architecture": detect_architecture(),
        "ProvisionDatabase": "false",
        "PrimaryEndpoint": servers.primary.host,
        "PrimaryPort": str(servers.primary.port),
        "ReplicaEndpoints": ",".join(f"{replica.host}:{replica.port}" for replica in servers.replicas),
        # The identifiers that the emulator's RDS gives the servers.
        "PrimaryInstance": "sluice-local-primary",
        "ReplicaInstances": ",".join(f"sluice-local-replica-{number + 1}" for number in range(len(servers.replicas))),
        "DatabaseAdminSecretArn": _put_secret(emulator, _ADMIN_SECRET_NAME, servers.admin_credentials),
    }


def _resolve_cache_parameters(emulator: EmulatorProcess, cache: CacheServer) -> dict[str, str]:
    return {
        "CachePort": str(cache.port),
        "CacheSecretArn": _put_secret(emulator, _CACHE_SECRET_NAME, cache.credentials),
    }


def _put_secret(emulator: EmulatorProcess, name: str, credentials: tuple[str, str]) -> str:
    """Store credentials in a secret; returns its ARN."""
    secrets = emulator.client("secretsmanager")
    username, password = credentials
    value = json.dumps({"username": username, "password": password})
    try:
        secret = secrets.get_secret_value(SecretId=name)
    except secrets.exceptions.ResourceNotFoundException:
        return str(secrets.create_secret(Name=name, SecretString=value)["ARN"])
    if secret["SecretString"] != value:
        secrets.put_secret_value(SecretId=name, SecretString=value)
    return str(secret["ARN"])
