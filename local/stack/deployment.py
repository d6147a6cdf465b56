"""sam deploy to the emulator, with what only the local stack can know as parameters."""

import json
from typing import Any

from local.cache import CacheServer
from local.database import DatabasePair
from local.process import LocalError
from local.stack.emulator_process import CREDENTIALS, REGION, EmulatorProcess
from local.stack.folder import StackFolder
from local.stack.parameters import detect_architecture, detect_runtime, format_overrides, read_configured_parameters
from local.stack.sam import SAM_CONFIG, run_sam

STACK_NAME = "sluice-local"


# The secrets' names.
_ADMIN, _CACHE_USER = "sluice-local/database-admin", "sluice-local/cache-user"


def choose_parameters(chosen: dict[str, str]) -> dict[str, str]:
    """The template's parameters before what is a fact here: those of samconfig.toml's `local`, then `chosen`."""
    return {**read_configured_parameters(SAM_CONFIG, "local"), **chosen}


def has_read_cache(settings: dict[str, str]) -> bool:
    """Whether the stack has a read cache."""
    return settings.get("ReadCache") == "true"


def resolve_parameters(
    settings: dict[str, str], emulator: EmulatorProcess, pair: DatabasePair, cache: CacheServer
) -> dict[str, str]:
    """All parameters of the template; the secrets that they name are kept where the functions look for them."""
    cached = has_read_cache(settings)
    return {
        **settings,
        **(
            {"CachePort": str(cache.port), "CacheSecretArn": _put(emulator, _CACHE_USER, cache.credentials)}
            if cached
            else {}
        ),
        "Runtime": detect_runtime(),
        "Architecture": detect_architecture(),
        "ProvisionDatabase": "false",
        "PrimaryEndpoint": pair.primary.host,
        "PrimaryPort": str(pair.primary.port),
        "ReplicaEndpoint": pair.replica.host,
        "ReplicaPort": str(pair.replica.port),
        "DatabaseAdminSecretArn": _put(emulator, _ADMIN, pair.admin_credentials),
    }


def _put(emulator: EmulatorProcess, name: str, account: tuple[str, str]) -> str:
    """Keep credentials in a secret; returns its ARN."""
    secrets = emulator.client("secretsmanager")
    username, password = account
    value = json.dumps({"username": username, "password": password})
    try:
        present = secrets.get_secret_value(SecretId=name)
    except secrets.exceptions.ResourceNotFoundException:
        return str(secrets.create_secret(Name=name, SecretString=value)["ARN"])
    if present["SecretString"] != value:
        secrets.put_secret_value(SecretId=name, SecretString=value)
    return str(present["ARN"])


def deploy_stack(folder: StackFolder, emulator: EmulatorProcess, chosen: dict[str, str]) -> dict[str, str]:
    """Deploy what was built with the parameters given; returns the stack's outputs. Raises LocalError."""
    if _status(emulator) == "ROLLBACK_COMPLETE":
        # A stack whose first deploy failed holds nothing and can only be deleted.
        _delete(emulator)
    run_sam(
        [
            "deploy",
            *("--template-file", str(folder.build / "template.yaml")),
            *("--config-file", str(SAM_CONFIG), "--config-env", "local"),
            *("--stack-name", STACK_NAME),
            *("--region", REGION),
            *("--capabilities", "CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"),
            *("--parameter-overrides", *format_overrides(chosen)),
            *("--resolve-s3", "--no-confirm-changeset", "--no-fail-on-empty-changeset", "--no-progressbar"),
        ],
        folder.log_path("deploy"),
        environment={
            **CREDENTIALS,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": emulator.url,
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1",
        },
        failure="sam deploy failed.",
    )
    return read_outputs(emulator)


def is_deployed(emulator: EmulatorProcess) -> bool:
    """Whether the emulator has the stack, whole."""
    return _status(emulator) in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}


def read_outputs(emulator: EmulatorProcess) -> dict[str, str]:
    found = _describe(emulator)
    if found is None:
        raise LocalError(f"The emulator has no stack {STACK_NAME}; run `make up`.")
    return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}


def _describe(emulator: EmulatorProcess) -> dict[str, Any] | None:
    client = emulator.client("cloudformation")
    try:
        found: list[dict[str, Any]] = client.describe_stacks(StackName=STACK_NAME)["Stacks"]
    except client.exceptions.ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            return None
        raise
    return found[0] if found else None


def _status(emulator: EmulatorProcess) -> str:
    found = _describe(emulator)
    return str(found["StackStatus"]) if found else ""


def _delete(emulator: EmulatorProcess) -> None:
    client = emulator.client("cloudformation")
    client.delete_stack(StackName=STACK_NAME)
    client.get_waiter("stack_delete_complete").wait(StackName=STACK_NAME, WaiterConfig={"Delay": 1})
